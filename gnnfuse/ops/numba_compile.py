"""How this package's kernels are compiled by numba."""

from collections.abc import Callable
from typing import Any

import numba

Kernel = Callable[..., Any]

# Sums may be reordered and multiply-adds fused; infinities and NaN keep their meaning.
FASTMATH = {"reassoc", "contract", "nsz"}


def compiled(function: Kernel) -> Kernel:
    """Compile at the first call; keep the machine code on disk where a folder can be written, else not."""
    try:
        jit = numba.njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
        kernel: Kernel = jit(function)
    except RuntimeError:  # numba found no folder to write to
        kernel = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(function)
    return kernel


def inlined(function: Kernel) -> Kernel:
    """Compile as a part of the kernels that call it."""
    part: Kernel = numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", forceinline=True)(function)
    return part
