"""Whole passes in one call from Python: what leads up to a kernel, the kernel on its threads, what follows.

Between two passes over megabytes, Python's own code and data have left the cache: every call of numpy or PyTorch that
is saved here is 3 to 10 microseconds, and one pass over a readout's 6 MB takes 100.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.numba_compile import compiled
from gnnfuse.ops.numba_team import on_team
from gnnfuse.ops.segment.numba_kernels import count_kernel
from gnnfuse.ops.segment.numba_sorted_kernels import cut_kernel
from gnnfuse.ops.work import MAX_CHUNKS, TURNS_PER_THREAD

Ints = NDArray[Any]
Floats = NDArray[Any]

DONE, OUT_OF_RANGE, OUT_OF_MEMORY = 0, -1, -2  # what a pass returns, or the length of a segment that is too long


@compiled
def sorted_pass(team: int, kernel: int, threads: int, offsets: Ints, items: int, limit: int, *arguments: Any) -> int:
    """A kernel over whole segments, where none is longer than the limit."""
    chunks = np.empty(MAX_CHUNKS + 1, np.uint64)
    count, longest = cut_kernel(offsets, items, limit, chunks)
    if longest < 0:
        return OUT_OF_RANGE
    if longest > limit:
        return longest
    threads = min(threads, count)
    turns = min(TURNS_PER_THREAD * threads, count)
    packed = (chunks[: count + 1], offsets.view(np.uint64)) + arguments  # noqa: RUF005: numba unpacks no tuple inside one
    return OUT_OF_MEMORY if on_team(team, kernel, threads, turns, count, packed) else DONE


@compiled
def copied_pass(
    team: int, kernel: int, threads: int, index: Ints, copies: int, segments: int, *arguments: Any
) -> int:
    """A kernel over equal runs of unsorted items, each with a copy of all segments."""
    highest = np.uint64(0)
    for item in range(len(index)):
        highest = max(highest, np.uint64(index[item]))
    if len(index) and highest >= segments:
        return OUT_OF_RANGE
    table = np.empty((3, copies + 1), np.uint64)
    chunks, bounds, rows = table[0], table[1], table[2]
    for copy in range(copies + 1):
        chunks[copy], bounds[copy], rows[copy] = copy, copy * len(index) // copies, copy * segments
    packed = (chunks, bounds, rows, True, index) + arguments  # noqa: RUF005
    return OUT_OF_MEMORY if on_team(team, kernel, min(threads, copies), copies, copies, packed) else DONE


@compiled
def item_pass(team: int, kernel: int, threads: int, items: int, runs: int, *arguments: Any) -> int:
    """A kernel over equal runs of items that writes one row for each."""
    table = np.empty((2, runs + 1), np.uint64)
    chunks, bounds = table[0], table[1]
    for run in range(runs + 1):
        chunks[run], bounds[run] = run, run * items // runs
    threads = min(threads, runs)
    packed = (chunks, bounds) + arguments  # noqa: RUF005
    failed = on_team(team, kernel, threads, min(TURNS_PER_THREAD * threads, runs), runs, packed)
    return OUT_OF_MEMORY if failed else DONE


@compiled
def join_sums_kernel(parts: Floats, index: Ints, is_mean: bool, out: Floats) -> None:
    """Sums of segments from those of their copies, in order; means by the number of items that the index names."""
    segments = len(out)
    if len(parts) > segments:
        out[:] = parts[:segments]
        for begin in range(segments, len(parts), segments):
            out += parts[begin : begin + segments]
    if is_mean:
        divide_by_counts_kernel(out, index, out)


@compiled
def divide_by_counts_kernel(table: Floats, index: Ints, out: Floats) -> None:
    """Each segment's row by the number of its items, 1 at least."""
    counts = np.zeros(len(out), np.int64)
    count_kernel(index, counts)
    for row in range(len(out)):
        out_row, table_row, count = out[row], table[row], out.dtype.type(max(1, counts[row]))
        for c in range(np.uint64(out.shape[1])):
            out_row[c] = table_row[c] / count


@compiled
def join_extremes_kernel(parts: Floats, index: Ints, sign: np.floating[Any], out: Floats) -> None:
    """Extremes of segments from the highest of their copies; 0 where the index names no item."""
    segments = len(out)
    has_item = np.zeros(segments, np.bool_)
    for item in range(len(index)):
        has_item[index[item]] = True
    columns = np.uint64(out.shape[1])
    for row in range(segments):
        out_row = out[row]
        if not has_item[row]:
            out_row[:] = 0
            continue
        out_row[:] = parts[row]
        for part in range(row + segments, len(parts), segments):
            part_row = parts[part]
            for c in range(columns):
                new, old = part_row[c], out_row[c]
                out_row[c] = new if (new > old) | (new != new) else old
        for c in range(columns):
            out_row[c] = sign * out_row[c]
