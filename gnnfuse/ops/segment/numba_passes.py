"""Whole passes in one call from Python: what leads up to a kernel, the kernel on its threads, what follows.

Between two passes over megabytes, Python's own code and data have left the cache: every call of numpy or PyTorch that
is saved here is 3 to 10 microseconds, and one pass over a readout's 6 MB takes 100.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled
from gnnfuse.ops.cpu.numba_team import on_team
from gnnfuse.ops.cpu.work import TURNS_PER_THREAD
from gnnfuse.ops.segment.numba_kernels import count_kernel, segment_join_kernel
from gnnfuse.ops.segment.numba_sorted_kernels import cut_kernel

Ints = NDArray[Any]
Floats = NDArray[Any]

DONE, OUT_OF_RANGE, OUT_OF_MEMORY = 0, 1, 2  # what a pass returns


@compiled
def sorted_sums_pass(
    team: int, kernel: int, threads: int, offsets: Ints, limit: int, values: Floats, is_mean: bool, out: Floats
) -> int:
    """Sums or means between offsets; those of long segments from their pieces, in order."""
    count, chunks, bounds, starts = cut_kernel(offsets, len(values), limit)
    if count == 0:
        return OUT_OF_RANGE
    is_whole = len(starts) == 0
    parts = out if is_whole else np.empty((len(bounds) - 1, out.shape[1]), out.dtype)
    packed = chunks, bounds, values, is_mean and is_whole, parts
    if on_team(team, kernel, min(threads, count), min(TURNS_PER_THREAD * threads, count), count, packed):
        return OUT_OF_MEMORY
    if not is_whole:
        for row in range(len(out)):
            out_row, length = out[row], out.dtype.type(max(1, offsets[row + 1] - offsets[row]))
            out_row[:] = parts[starts[row]]
            for part in range(starts[row] + 1, starts[row + 1]):
                out_row += parts[part]
            if is_mean:
                out_row /= length
    return DONE


@compiled
def sorted_extremes_pass(
    team: int, kernel: int, threads: int, offsets: Ints, limit: int, values: Floats, sign: np.floating[Any],
    out: Floats,
) -> int:  # fmt: skip
    """Extremes between offsets, 0 without items."""
    count, chunks, bounds, starts = cut_kernel(offsets, len(values), limit)
    if count == 0:
        return OUT_OF_RANGE
    is_whole = len(starts) == 0
    parts = out if is_whole else np.empty((len(bounds) - 1, out.shape[1]), out.dtype)
    packed = chunks, bounds, values, sign, is_whole, parts
    if on_team(team, kernel, min(threads, count), min(TURNS_PER_THREAD * threads, count), count, packed):
        return OUT_OF_MEMORY
    if not is_whole:
        for row in range(len(out)):
            out[row] = 0
            if offsets[row] < offsets[row + 1]:
                join_highest(parts, starts[row], starts[row + 1], 1, sign, out[row])
    return DONE


@compiled
def sorted_first_extremes_pass(
    team: int, kernel: int, threads: int, offsets: Ints, limit: int, values: Floats, sign: np.floating[Any],
    out: Floats, found: NDArray[np.int32],
) -> int:  # fmt: skip
    """As `sorted_extremes_pass`, and the first item that has each."""
    count, chunks, bounds, starts = cut_kernel(offsets, len(values), limit)
    if count == 0:
        return OUT_OF_RANGE
    is_whole = len(starts) == 0
    parts = out if is_whole else np.empty((len(bounds) - 1, out.shape[1]), out.dtype)
    part_found = found if is_whole else np.empty(parts.shape, np.int32)
    packed = chunks, bounds, values, sign, is_whole, parts, part_found
    if on_team(team, kernel, min(threads, count), min(TURNS_PER_THREAD * threads, count), count, packed):
        return OUT_OF_MEMORY
    if not is_whole:
        segment_join_kernel(starts[:-1], starts[1:] - starts[:-1], 1, parts, part_found, sign, out, found)
    return DONE


@compiled
def sorted_items_pass(
    team: int, kernel: int, threads: int, offsets: Ints, runs: int, table: Floats, option: Any, out: Floats
) -> int:
    """One row for every item between offsets."""
    bounds, rises = equal_runs(len(out), runs), offsets[0] == 0 and offsets[-1] == len(out)
    for row in range(len(offsets) - 1):
        rises = rises and offsets[row] <= offsets[row + 1]
    if not rises:
        return OUT_OF_RANGE
    packed = bounds, bounds, offsets, table, option, out
    failed = on_team(team, kernel, min(threads, runs), min(TURNS_PER_THREAD * threads, runs), runs, packed)
    return OUT_OF_MEMORY if failed else DONE


@compiled
def equal_runs(items: int, runs: int) -> Ints:
    """Where each of so many equal runs of items begins, and the end."""
    bounds = np.empty(runs + 1, np.uint64)
    for run in range(runs + 1):
        bounds[run] = run * items // runs
    return bounds


@compiled
def join_highest(parts: Floats, start: int, stop: int, step: int, sign: np.floating[Any], out_row: Floats) -> None:
    """Sign times the highest of the rows `start` to `stop` of the parts, `step` apart; a NaN is the highest of all."""
    out_row[:] = parts[start]
    for part in range(start + step, stop, step):
        part_row = parts[part]
        for c in range(np.uint64(len(out_row))):
            new, old = part_row[c], out_row[c]
            out_row[c] = new if (new > old) | (new != new) else old
    out_row *= sign


@compiled
def copied_pass(team: int, kernel: int, threads: int, index: Ints, copies: int, segments: int, *arguments: Any) -> int:
    """A kernel over equal runs of unsorted items, each with a copy of all segments."""
    highest = np.uint64(0)
    for item in range(len(index)):
        highest = max(highest, np.uint64(index[item]))
    if len(index) and highest >= segments:
        return OUT_OF_RANGE
    bounds, rows = equal_runs(len(index), copies), equal_runs(copies * segments, copies)
    packed = (bounds, bounds, rows, True, index) + arguments  # noqa: RUF005  numba unpacks no tuple inside one
    return OUT_OF_MEMORY if on_team(team, kernel, min(threads, copies), copies, copies, packed) else DONE


@compiled
def item_pass(team: int, kernel: int, threads: int, items: int, runs: int, *arguments: Any) -> int:
    """A kernel over equal runs of items that writes one row for each."""
    bounds, threads = equal_runs(items, runs), min(threads, runs)
    packed = (bounds, bounds) + arguments  # noqa: RUF005  as above
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
    for row in range(segments):
        out[row] = 0
        if has_item[row]:
            join_highest(parts, row, len(parts), segments, sign, out[row])
