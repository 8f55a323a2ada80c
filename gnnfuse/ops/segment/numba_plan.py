"""How the items of segments are divided into tasks that write apart from each other."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.ops.segment import numba_kernels
from gnnfuse.ops.work import MAX_CHUNKS, Work, cut

NUMBERS_PER_TASK = 2**15
NUMBERS_PER_COPY = 2**18
ITEMS_PER_COPY = 8
MAX_COPIES = 16


class Plan(NamedTuple):
    """Which rows of partial results the items are added to, and how those make up the segments.

    It follows from shapes and offsets alone, never from the number of threads: results keep their bits.

    Args:
        tasks: the items of each task, for the reducing kernels.
        items: the items of each task, for the kernels that write one row per item.
        rows: `[tasks + 1]`; the partial rows of each task.
        is_copy: whether every task has a copy of all segments, as with an unsorted index.
        row_of: `[items]`, unsigned; the row that each item is added to, within the copy if there are any.
        starts: `[segments]`; the first partial row of each segment.
        counts: `[segments]`; the number of its partial rows.
        step: how far they are apart.
    """

    tasks: Work
    items: Work
    rows: NDArray[np.uint64]
    is_copy: bool
    row_of: NDArray[Any]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    step: int

    def join(self, parts: Tensor) -> Tensor:
        """Sums of segments from those of their partial rows, added in order."""
        if len(parts) == len(self.starts):
            return parts
        if self.is_copy:
            copies = parts.numpy().reshape(-1, len(self.starts), parts.shape[1])
            return torch.from_numpy(np.add.reduce(copies, axis=0))
        return torch.from_numpy(np.add.reduceat(parts.numpy(), self.starts, axis=0))

    def table(self, segments: Tensor) -> NDArray[Any]:
        """A table `[segments, columns]` as the kernels read it, one row per value of `row_of`."""
        array: NDArray[Any] = segments.detach().contiguous().numpy()
        if self.is_copy or int(self.rows[-1]) == len(self.starts):
            return array
        return np.repeat(array, self.counts, axis=0)


def plan(place: Tensor, is_sorted: bool, segments: int, items: int, columns: int) -> Plan:
    """The division of items that are sorted, with `place` their offsets, or not, with `place` their index."""
    return plan_sorted(place, items, columns) if is_sorted else plan_unsorted(place, segments, columns)


def plan_sorted(offsets: Tensor, items: int, columns: int) -> Plan:
    """Whole segments per task; a long one is several partial rows."""
    work = cut(offsets, columns)
    index = np.empty(items, np.uint32)
    numba_kernels.expand_kernel(work.bounds, index)
    tasks = span_work(work.bounds[work.chunks])
    segments = len(offsets) - 1
    starts = np.arange(segments) if work.starts is None else work.starts
    counts = np.diff(np.append(starts, len(work.row)))
    return Plan(tasks, item_work(items, columns), work.chunks, False, index, starts, counts, 1)


def plan_unsorted(index: Tensor, segments: int, columns: int) -> Plan:
    """Equal runs of items per task, each with its own copy of the segments where that costs little."""
    items = len(index)
    worth = min(items // (ITEMS_PER_COPY * max(segments, 1)), items * columns // NUMBERS_PER_COPY)
    copies = int(np.clip(worth, 1, MAX_COPIES))
    tasks = span_work(np.arange(copies + 1, dtype=np.uint64) * np.uint64(items) // np.uint64(copies))
    rows = np.arange(copies + 1, dtype=np.uint64) * np.uint64(segments)
    array = index.detach().contiguous().numpy()
    array = array.view(np.uint32 if index.dtype == torch.int32 else np.uint64)
    counts = np.full(segments, copies)
    return Plan(tasks, item_work(items, columns), rows, True, array, np.arange(segments), counts, segments)


def item_work(items: int, columns: int) -> Work:
    """Equal runs of items."""
    count = int(np.clip(items * columns // NUMBERS_PER_TASK, 1, MAX_CHUNKS))
    return span_work(np.arange(count + 1, dtype=np.uint64) * np.uint64(items) // np.uint64(count))


def span_work(bounds: NDArray[np.uint64]) -> Work:
    """One chunk per span of items."""
    chunks = np.arange(len(bounds), dtype=np.uint64)
    return Work(chunks, bounds, chunks[:-1], None)
