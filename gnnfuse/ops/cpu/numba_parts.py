"""How numba compiles what is only ever a part of kernels.

numba treats every function as one to be called: it optimises it alone, makes machine code and wrappers for it, and
optimises it once more in each kernel that it becomes a part of. The first call of attention took 22 seconds so. Here a
part is type-checked and translated, and left to its kernels.
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
    """Python takes it for the result of a call that has failed."""


REFUSE = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(refuse)


class PartLibrary(JITCodeLibrary):
    """A function's intermediate code, to be linked into others and not to be run."""

    def _optimize_final_module(self) -> None:
        """Its kernels are optimised as a whole."""

    def _finalize_final_module(self) -> None:
        """No machine code."""
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]  # as above
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int | None:
        """Of what Python would call: it refuses."""
        return ctypes.cast(REFUSE, ctypes.c_void_p).value

    @property
    def codegen(self) -> "PartLibrary":
        """Who is told about the environment: nobody, as only code that runs looks at one."""
        return self

    def set_env(self, name: str, environment: object) -> None:
        """Do nothing."""


@registered(mutates_CFG=False, analysis_only=False)
class ChoosePartLibrary(LoweringPass):
    """Says where the code of a part goes, before it is made."""

    _name = "choose_part_library"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above

    def run_pass(self, state: Any) -> bool:
        """As numba's own, of another class."""
        library: Any = PartLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


class PartCompiler(CompilerBase):
    """numba's own steps, with a `PartLibrary`."""

    def define_pipelines(self) -> list[Any]:
        """One pipeline."""
        passes = Passes.define_nopython_pipeline(self.state)
        passes.add_pass_after(ChoosePartLibrary, IRLegalization)
        passes.finalize()
        return [passes]
