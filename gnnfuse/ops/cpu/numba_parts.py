"""Compiles functions that are only ever parts of kernels.

numba treats every function as one to be called: it optimises it alone, generates machine code and wrappers for it, and
optimises it again in each kernel that inlines it. The first call of attention thus took 22 seconds. Here a part is only
type-checked and translated; it is optimised within its kernels.
"""

import ctypes
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import IRLegalization

registered: Any = register_pass  # numba's own code has no types
Passes: Any = DefaultPassBuilder


def refuse(*unused: object) -> None:
    """Return NULL, which Python takes for the result of a failed call."""


REFUSE = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(refuse)


class PartLibrary(JITCodeLibrary):
    """A function's intermediate code, to be linked into others but never run."""

    def _optimize_final_module(self) -> None:
        """Do nothing: kernels are optimised as a whole."""

    def _finalize_final_module(self) -> None:
        """Generate no machine code."""
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]  # as above
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int | None:
        """The function that Python would call: it refuses."""
        return ctypes.cast(REFUSE, ctypes.c_void_p).value

    @property
    def codegen(self) -> "PartLibrary":
        """The object whose `set_env` numba calls: this one, which does nothing, as only code that runs needs it."""
        return self

    def set_env(self, name: str, environment: object) -> None:
        """Do nothing."""


@registered(mutates_CFG=False, analysis_only=False)
class ChoosePartLibrary(LoweringPass):
    """Selects the library of a part's code, before the code is generated."""

    _name = "choose_part_library"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above

    def run_pass(self, state: Any) -> bool:
        """As in numba, with a library of another class."""
        library: Any = PartLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class PartCompiler(CompilerBase):
    """numba's own passes, with a `PartLibrary`."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline."""
        passes = Passes.define_nopython_pipeline(self.state)
        passes.add_pass_after(ChoosePartLibrary, IRLegalization)
        passes.finalize()
        return [passes]
