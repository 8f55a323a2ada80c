"""Runs functions on the threads of PyTorch's own operators.

A second thread pool would compete for the cores with PyTorch's OpenMP threads, which spin for a while after every
operator: the kernels of an attention block took a third longer on a pool of our own.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

Team = Callable[[Callable[[], None], int], None]
GompParallel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)


@cache
def openmp_team() -> Team | None:
    """Return what calls a function on several of PyTorch's OpenMP threads at once; None if it uses another library.

    The function must not raise. PyTorch's wheels for Linux include GNU's library.
    """
    parallel = gomp_parallel()
    if parallel is None:
        return None
    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    parallel.argtypes = (callback, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None

    def run(function: Callable[[], None], threads: int) -> None:
        # Never through ctypes.cast, which makes its argument part of a reference cycle: everything that the function
        # holds would stay in memory until the garbage collector runs.
        parallel(callback(lambda _: function()), None, threads, 0)

    return run


@cache
def gomp_address() -> int | None:
    """The address of `GOMP_parallel(function, data, threads, flags)`, for machine code to call."""
    parallel = gomp_parallel()
    return None if parallel is None else ctypes.cast(parallel, ctypes.c_void_p).value


def gomp_parallel() -> Any:
    """The function of PyTorch's own GNU OpenMP library; None if PyTorch uses another."""
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    if not found or os.name != "posix":
        return None
    return getattr(ctypes.CDLL(str(found[0])), "GOMP_parallel", None)
