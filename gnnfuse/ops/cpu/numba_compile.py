"""Compiles this package's kernels by numba."""

import contextlib
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from gnnfuse.ops.cpu.private_names import PRIVATE_NAMES, missing_names

Kernel = TypeVar("Kernel", bound=Callable[..., Any])  # a function of numbers and arrays

# Sums may be reordered and multiply-adds fused; infinities and NaN keep their meaning.
FASTMATH = {"reassoc", "contract", "nsz"}
OPTIONS: Any = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}

MISSING = missing_names(PRIVATE_NAMES)
PLAIN = bool(MISSING)  # whether kernels are compiled by njit alone
if PLAIN:
    warnings.warn(
        f"numba {numba.__version__} has no {', '.join(MISSING)}: CPU kernels are compiled without them, run slower "
        "and are recompiled in every process; numba 0.68 has them",
        RuntimeWarning,
        stacklevel=2,
    )
else:
    from gnnfuse.ops.cpu.numba_cache import SOURCES, PatientCache
    from gnnfuse.ops.cpu.numba_parts import PartCompiler

    OPTIONS["no_cfunc_wrapper"] = True


def compiled(function: Kernel, **options: Any) -> Kernel:
    """Compile at the first call; keep the machine code on disk if a folder is writable, else in memory."""
    if PLAIN:
        return cast(Kernel, numba.njit(**OPTIONS)(function))
    function.__qualname__ = f"{function.__qualname__}-{SOURCES}"
    kernel = numba.njit(**OPTIONS, **options)(function)
    with contextlib.suppress(RuntimeError):  # numba found no folder to write to
        # As numba's own enable_caching does, with another cache.
        kernel._cache = PatientCache(function)
    return cast(Kernel, kernel)


def threaded(function: Kernel) -> Kernel:
    """As `compiled`, for kernels that only `spread` calls: without a wrapper for calls from Python, unless needed."""
    return compiled(function, no_cpython_wrapper=True)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function to be inlined into the kernels that call it."""
    if PLAIN:
        return cast(Callable[..., Any], numba.njit(**OPTIONS)(function))
    alone: Any = {"no_cpython_wrapper": True, "pipeline_class": PartCompiler}
    return cast(Callable[..., Any], numba.njit(forceinline=True, **alone, **OPTIONS)(function))
