"""Work on the threads that PyTorch's own operators run on.

A second pool of threads would share the cores with PyTorch's OpenMP threads, which keep a core busy for a while after
every operator, waiting for the next: the kernels of an attention block took a third longer on a pool of ours.
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
    """What calls a function on several of PyTorch's OpenMP threads at once; None where PyTorch has another library.

    The function must not raise. PyTorch's wheels for Linux carry GNU's library.
    """
    parallel = gomp_parallel()
    if parallel is None:
        return None
    callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    parallel.argtypes = (callback, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None

    def run(function: Callable[[], None], threads: int) -> None:
        # Never through ctypes.cast: what it is given becomes part of a cycle, and all that the function holds stays
        # in memory until Python's collector comes.
        parallel(callback(lambda _: function()), None, threads, 0)

    return run


@cache
def gomp_address() -> int | None:
    """Where in memory `GOMP_parallel(function, data, threads, flags)` is, for machine code to call."""
    parallel = gomp_parallel()
    return None if parallel is None else ctypes.cast(parallel, ctypes.c_void_p).value


def gomp_parallel() -> Any:
    """The function of PyTorch's own GNU OpenMP library; None where PyTorch has another."""
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    if not found or os.name != "posix":
        return None
    return getattr(ctypes.CDLL(str(found[0])), "GOMP_parallel", None)
