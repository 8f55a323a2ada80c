"""Cuts the rows of a compressed list into equal work and spreads it over threads."""

import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, wraps
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.cpu.openmp import GompParallel, gomp_address, openmp_team

EDGES_PER_PIECE = 4096
NUMBERS_PER_PIECE = 2**17
MAX_CHUNKS = 256
TURNS_PER_THREAD = 4
Pass = TypeVar("Pass", bound=Callable[..., Any])
KEPT: list[Any] = []  # functions that machine code calls, which must not be garbage-collected
FORKED = False  # whether this process is a forked child


class Work(NamedTuple):
    """Rows cut into pieces of few edges, and pieces gathered into chunks of equal work. All uint64.

    It depends on the offsets alone, never on the number of threads, so that sums over it have the same bits.

    Args:
        chunks: `[chunks + 1]`; the positions in `order` where each chunk begins.
        bounds: `[pieces + 1]`; the edges of piece p are `bounds[p]:bounds[p + 1]`.
        row: `[pieces]`; the row of each piece. Every row has at least one piece.
        starts: `[rows]`, the first piece of each row; None if every row is one piece.
        order: `[pieces]`; the pieces of chunk c are `order[chunks[c]:chunks[c + 1]]`. None means their own order, which
            they also have unless the work was cut by groups.
    """

    chunks: NDArray[np.uint64]
    bounds: NDArray[np.uint64]
    row: NDArray[np.uint64]
    starts: NDArray[np.int64] | None
    order: NDArray[np.uint64] | None = None

    @property
    def num_chunks(self) -> int:
        """Number of chunks, at least 1."""
        return len(self.chunks) - 1

    def sum_rows(self, pieces: Tensor) -> Tensor:
        """Add one addend per piece to one sum per row, in the order of the pieces."""
        if self.starts is None:
            return pieces
        return torch.from_numpy(np.add.reduceat(pieces.numpy(), self.starts, axis=0))


def cut(offsets: Tensor, columns: int = 1, group: NDArray[np.int64] | None = None) -> Work:
    """The work on rows whose edges are `offsets[r]:offsets[r + 1]`; a hub's row becomes many pieces.

    A piece has at most 4096 edges, and fewer if each has more than 32 columns. With `group` `[rows]`, rows of one group
    come one after the other, so that data that they share stays in the cache.
    """
    limit = max(1, min(EDGES_PER_PIECE, NUMBERS_PER_PIECE // max(1, columns)))
    bounds = offsets.detach().contiguous().numpy()
    row = np.arange(len(bounds) - 1)
    starts = None
    degree = np.diff(bounds)
    if degree.max(initial=0) > limit:
        count = np.maximum(-(-degree // limit), 1)
        starts = np.cumsum(count) - count
        row = np.repeat(row, count)
        begin = bounds[row] + (np.arange(len(row)) - starts[row]) * limit
        bounds = np.append(begin, bounds[-1])
    order = np.arange(len(row)) if group is None else sorted_by(group if starts is None else group[row])
    # A piece costs its edges, and a little even without any.
    cost = np.append(0, np.cumsum(np.diff(bounds)[order] + 1))
    num_chunks = int(np.clip(cost[-1] // limit, 1, MAX_CHUNKS))
    chunks = np.searchsorted(cost, np.arange(num_chunks + 1) * cost[-1] // num_chunks)
    return Work(chunks.astype(np.uint64), bounds.view(np.uint64), row.view(np.uint64), starts, order.view(np.uint64))


def sorted_by(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of the rows, group by group; numpy sorts 16-bit numbers fastest, by radix sort."""
    small = len(group) > 0 and group.min() >= 0 and group.max() < 2**16
    return np.argsort(group.astype(np.uint16) if small else group, kind="stable")


def spread(kernel: Callable[..., None], work: Work, *arguments: object) -> None:
    """Call `kernel(first, last, chunks, bounds, *arguments)` over all chunks, on PyTorch's number of threads.

    The others take over the share of a thread that starts late, as when other work occupies its core. Python is between
    the threads and the kernel only if numba did not compile it.
    """
    threads = min(torch.get_num_threads(), work.num_chunks)
    turns = min(TURNS_PER_THREAD * threads, work.num_chunks) if threads > 1 else 1
    if is_machine_code(kernel):
        from gnnfuse.ops.cpu.numba_team import call_on_team

        team = 0 if threads == 1 else pool_address() if FORKED else gomp_address() or pool_address()
        call_on_team(team, kernel, threads, turns, work.num_chunks, work.chunks, work.bounds, *arguments)
        return
    if threads == 1:
        kernel(0, work.num_chunks, work.chunks, work.bounds, *arguments)
        return
    take_turns(kernel, threads, [work.num_chunks * turn // turns for turn in range(turns + 1)], work, *arguments)


def is_machine_code(kernel: Callable[..., None]) -> bool:
    """Whether `numba_team` can call the kernel."""
    if not hasattr(kernel, "overloads"):
        return False
    from gnnfuse.ops.cpu.numba_compile import PLAIN

    return not PLAIN


def take_turns(kernel: Callable[..., None], threads: int, bounds: list[int], work: Work, *arguments: object) -> None:
    """Call the kernel for the chunks between adjacent bounds, on threads that take what is left."""
    waiting = deque(pairwise(bounds))
    raised: list[BaseException] = []

    def serve() -> None:
        while not raised:
            try:
                first, last = waiting.popleft()
            except IndexError:
                return
            try:
                kernel(first, last, work.chunks, work.bounds, *arguments)
            except BaseException as error:
                raised.append(error)

    together(serve, threads)
    if raised:
        raise raised[0]


def together(serve: Callable[[], None], threads: int) -> None:
    """Call a function that does not raise on several threads at once, on PyTorch's own if possible."""
    team = None if FORKED else openmp_team()
    if team is not None:
        team(serve, threads)
        return
    helpers = []
    with contextlib.suppress(RuntimeError):  # no thread can start, or the interpreter ends: this one does it all
        helpers += [thread_pool(os.getpid(), threads).submit(serve) for _ in range(threads - 1)]
    serve()
    for helper in helpers:
        if not helper.cancel():
            helper.result()


@cache
def pool_address() -> int:
    """A stand-in for `GOMP_parallel` over `together`, for forked children and other OpenMP libraries."""

    def run(function: int, data: int, threads: int, flags: int) -> None:
        serve = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function)
        try:
            together(lambda: serve(data), threads)
        finally:
            serve(data)  # takes what is left: all of it where no helper could be started, else nothing

    KEPT.append(GompParallel(run))
    return ctypes.cast(KEPT[-1], ctypes.c_void_p).value or 0


def after_fork() -> None:
    """A forked child has none of its parent's OpenMP threads, and GNU's library would wait for them forever."""
    global FORKED
    FORKED = True


def alone_after_fork(function: Pass) -> Pass:
    """Make a function run with one thread in a forked child, where PyTorch's operators, which it calls between kernels,
    would wait for threads that the child does not have."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        threads = torch.get_num_threads() if FORKED else 1
        if threads == 1:
            return function(*arguments, **options)
        torch.set_num_threads(1)
        try:
            return function(*arguments, **options)
        finally:
            torch.set_num_threads(threads)

    return cast(Pass, call)


@lru_cache(maxsize=4)
def thread_pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process: a forked child inherits the cache but not the threads, hence the id."""
    return ThreadPoolExecutor(threads - 1, thread_name_prefix=f"gnnfuse-{process}")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
