"""How the items of segments are divided into tasks that write apart from each other."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.check_edges import check_offsets
from gnnfuse.ops.cpu.work import MAX_CHUNKS, Work, piece_limit
from gnnfuse.ops.segment import numba_kernels, numba_sorted_kernels
from gnnfuse.ops.segment.numba_arrays import array

NUMBERS_PER_TASK = 2**15
NUMBERS_PER_COPY = 2**18
ITEMS_PER_COPY = 8
MAX_COPIES = 16


class Plan(NamedTuple):
    """Which rows of partial results the items are added to, and how those make up the segments.

    It follows from shapes and offsets alone, never from the number of threads: results keep their bits.

    Args:
        tasks: the items of each task, for the reducing kernels.
        rows: `[tasks + 1]`; the partial rows of each task.
        is_copy: whether every task has a copy of all segments, as with an unsorted index.
        row_of: `[items]`, unsigned; the row that each item is added to, within the copy if there are any.
        segments: their number.
        first: `[segments]`; the first partial row of each segment; None if they are the segments, or copies of them.
    """

    tasks: Work
    rows: NDArray[np.uint64]
    is_copy: bool
    row_of: NDArray[Any]
    segments: int
    first: NDArray[np.int64] | None

    def parts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """The first partial row of each segment, the number of them, and how far they are apart."""
        if self.first is not None:
            return self.first, np.diff(np.append(self.first, int(self.rows[-1]))), 1
        copies = len(self.rows) - 1 if self.is_copy else 1
        return np.arange(self.segments), np.full(self.segments, copies), self.segments

    def join(self, parts: Tensor, combine: np.ufunc = np.add) -> Tensor:
        """Sums of segments from those of their partial rows, added in order; or their maxima."""
        if self.first is not None:
            return torch.from_numpy(combine.reduceat(parts.numpy(), self.first, axis=0))
        if len(parts) == self.segments:
            return parts
        return torch.from_numpy(combine.reduce(parts.numpy().reshape(-1, self.segments, parts.shape[1]), axis=0))

    def table(self, segments: Tensor) -> NDArray[Any]:
        """A table `[segments, columns]` as the kernels read it, one row per value of `row_of`."""
        rows = array(segments)
        return rows if self.first is None else np.repeat(rows, self.parts()[1], axis=0)


def plan(place: Tensor, is_sorted: bool, segments: int, items: int, columns: int) -> Plan:
    """The division of items that are sorted, with `place` their offsets, or not, with `place` their index."""
    return plan_sorted(place, items, columns) if is_sorted else plan_unsorted(place, segments, columns)


def plan_sorted(offsets: Tensor, items: int, columns: int) -> Plan:
    """Whole segments per task; a long one is several partial rows."""
    work = cut_sorted(offsets, items, columns)
    row_of = np.empty(items, np.uint32)
    numba_kernels.expand_kernel(work.bounds, row_of)
    return Plan(span_work(work.bounds[work.chunks]), work.chunks, False, row_of, len(offsets) - 1, work.starts)


def cut_sorted(offsets: Tensor, items: int, columns: int) -> Work:
    """As `cut`, in one compiled pass that checks the offsets too.

    Raises:
        ValueError: the offsets do not rise from 0 to the number of items.
    """
    count, chunks, bounds, starts = numba_sorted_kernels.cut_kernel(array(offsets), items, piece_limit(columns))
    if count == 0:
        check_offsets("offsets", offsets, items)
    lengths = np.diff(starts)
    row = np.arange(len(bounds) - 1 if not len(starts) else len(lengths), dtype=np.uint64)
    if not len(starts):
        return Work(chunks, bounds, row, None)
    return Work(chunks, bounds, row.repeat(lengths), starts[:-1])


def plan_unsorted(index: Tensor, segments: int, columns: int) -> Plan:
    """Equal runs of items per task, each with its own copy of the segments where that costs little."""
    items = len(index)
    copies = copies_of(items, segments, columns)
    rows = np.arange(copies + 1, dtype=np.uint64) * np.uint64(segments)
    return Plan(equal_runs(items, copies), rows, True, unsigned(index), segments, None)


def copies_of(items: int, segments: int, columns: int) -> int:
    """How many runs of unsorted items have a copy of all segments each."""
    worth = min(items // (ITEMS_PER_COPY * max(segments, 1)), items * columns // NUMBERS_PER_COPY)
    return max(1, min(worth, MAX_COPIES))


def unsigned(index: Tensor) -> NDArray[Any]:
    """The index as numbers that are never negative, as kernels read them."""
    return array(index).view(np.uint32 if index.dtype == torch.int32 else np.uint64)


def item_work(items: int, columns: int) -> Work:
    """Equal runs of items, for kernels that write one row per item."""
    return equal_runs(items, item_runs(items, columns))


def item_runs(items: int, columns: int) -> int:
    """Into how many runs items are divided for kernels that write one row per item."""
    return max(1, min(items * columns // NUMBERS_PER_TASK, MAX_CHUNKS))


def equal_runs(items: int, count: int) -> Work:
    """The items in `count` tasks."""
    return span_work(np.arange(count + 1, dtype=np.uint64) * np.uint64(items) // np.uint64(count))


def span_work(bounds: NDArray[np.uint64]) -> Work:
    """One chunk per span of items."""
    chunks = np.arange(len(bounds), dtype=np.uint64)
    return Work(chunks, bounds, chunks[:-1], None)
