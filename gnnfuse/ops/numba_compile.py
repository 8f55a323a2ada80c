"""How this package's kernels are compiled by numba."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])  # a function of numbers and arrays

# Sums may be reordered and multiply-adds fused; infinities and NaN keep their meaning.
FASTMATH = {"reassoc", "contract", "nsz"}
OPTIONS: Any = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}


def compiled(function: Kernel) -> Kernel:
    """Compile at the first call; keep the machine code on disk where a folder can be written, else not."""
    try:
        return cast(Kernel, numba.njit(cache=True, **OPTIONS)(function))
    except RuntimeError:  # numba found no folder to write to
        return cast(Kernel, numba.njit(**OPTIONS)(function))


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as a part of the kernels that call it."""
    return cast(Callable[..., Any], numba.njit(forceinline=True, **OPTIONS)(function))
