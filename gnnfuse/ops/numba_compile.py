"""How this package's kernels are compiled by numba."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from gnnfuse.ops.numba_parts import PartCompiler

OPS = Path(__file__).parent
# numba looks only at the file that a kernel stands in to see whether its machine code is out of date. As kernels call
# parts from other files, what all of these say goes into the name under which the machine code is kept.
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(OPS.rglob("numba*.py")))).hexdigest()[:12]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])  # a function of numbers and arrays

# Sums may be reordered and multiply-adds fused; infinities and NaN keep their meaning.
FASTMATH = {"reassoc", "contract", "nsz"}
OPTIONS: Any = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: Kernel, **options: Any) -> Kernel:
    """Compile at the first call; keep the machine code on disk where a folder can be written, else not."""
    function.__qualname__ = f"{function.__qualname__}-{SOURCES}"
    try:
        return cast(Kernel, numba.njit(cache=True, **OPTIONS, **options)(function))
    except RuntimeError:  # numba found no folder to write to
        return cast(Kernel, numba.njit(**OPTIONS, **options)(function))


def threaded(function: Kernel) -> Kernel:
    """As `compiled`, for what only `call_on_team` calls: nothing is made for calls from Python."""
    return compiled(function, no_cpython_wrapper=True)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as a part of the kernels that call it."""
    alone: Any = {"no_cpython_wrapper": True, "pipeline_class": PartCompiler}
    return cast(Callable[..., Any], numba.njit(forceinline=True, **alone, **OPTIONS)(function))
