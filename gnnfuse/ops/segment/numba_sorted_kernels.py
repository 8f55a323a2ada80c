"""The kernels over sorted items with `impl="numba"`. The derivation is in README.md.

They walk chunks `first` to `last` of pieces, which are whole segments unless one is long; piece p is the items
`bounds[p]` to `bounds[p + 1]`, and one call alone writes what belongs to it: any number of threads gives the same bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import compiled
from gnnfuse.ops.cpu.work import MAX_CHUNKS

Ints = NDArray[Any]
Floats = NDArray[Any]

PARTS_OF_LIMIT = 4  # chunks of fewer items than a piece may have, so that no thread waits long for the last


@compiled
def cut_kernel(offsets: Ints, items: int, limit: int) -> tuple[int, Ints, Ints, Ints]:
    """As `cut` of work.py: the number of chunks, the chunks, the bounds of the pieces and each segment's first piece.

    The last is empty where every segment is one piece. There are 0 chunks where the offsets do not rise from 0 to the
    number of items.
    """
    rows = len(offsets) - 1
    pieces, rises = 0, offsets[0] == 0 and offsets[rows] == items
    for row in range(rows):
        length = offsets[row + 1] - offsets[row]
        pieces += max(1, -(-length // limit))
        rises = rises and length >= 0
    chunks, starts = np.empty(MAX_CHUNKS + 1, np.uint64), np.empty(0, np.int64)
    if not rises:
        return 0, chunks, chunks, starts
    bounds = offsets
    if pieces > rows:
        bounds, starts = np.empty(pieces + 1, np.int64), np.empty(rows + 1, np.int64)
        piece = 0
        for row in range(rows):
            starts[row], begin = piece, offsets[row]
            for item in range(begin, max(begin + 1, offsets[row + 1]), limit):
                bounds[piece] = item
                piece += 1
        starts[rows], bounds[pieces] = pieces, items
    # A piece costs its items, and a little even without any.
    cost = items + pieces
    count = max(1, min(MAX_CHUNKS, cost // max(1, limit // PARTS_OF_LIMIT)))
    piece = 0
    for chunk in range(count):
        while piece < pieces and bounds[piece] + piece < chunk * cost // count:
            piece += 1
        chunks[chunk] = piece
    chunks[count] = pieces
    return count, chunks[: count + 1], bounds.view(np.uint64), starts


@compiled
def sorted_sum_kernel(
    first: int, last: int, chunks: Ints, bounds: Ints, values: Floats, is_mean: bool, out: Floats
) -> None:
    """Sums or means `[pieces, columns]`; four rows at a time, as each time the sum is read and written."""
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    columns = np.uint64(values.shape[1])
    for piece in range(chunks[first], chunks[last]):
        out_row = out[piece]
        out_row[:] = 0
        item, end = bounds[piece], bounds[piece + one]
        while item + four <= end:
            row_0, row_1, row_2, row_3 = values[item], values[item + one], values[item + two], values[item + three]
            for c in range(columns):
                out_row[c] += (row_0[c] + row_1[c]) + (row_2[c] + row_3[c])
            item += four
        while item < end:
            row_0 = values[item]
            for c in range(columns):
                out_row[c] += row_0[c]
            item += one
        count = values.dtype.type(end - bounds[piece])
        if is_mean and count > 1:
            for c in range(columns):
                out_row[c] /= count


@compiled
def segment_at(offsets: Ints, item: Any) -> int:
    """The segment that the item lies in, of those that begin at the offsets."""
    low, high = 0, len(offsets) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offsets[middle] <= item else (low, middle)
    return low


@compiled
def sorted_gather_kernel(
    first: int, last: int, _: Ints, bounds: Ints, offsets: Ints, table: Floats, is_mean: bool, out: Floats
) -> None:
    """Each item's row of the table, `[items, columns]`; divided by the number of its segment's items for a mean."""
    one, columns = np.uint64(1), np.uint64(table.shape[1])
    item, end = np.uint64(bounds[first]), np.uint64(bounds[last])
    segment = segment_at(offsets, item)
    while item < end:
        stop = min(end, np.uint64(offsets[segment + 1]))
        table_row = table[segment]
        if is_mean and item < stop:
            count, out_row = table.dtype.type(offsets[segment + 1] - offsets[segment]), out[item]
            for c in range(columns):
                out_row[c] = table_row[c] / count
            table_row = out_row
            item += one
        while item < stop:
            out_row = out[item]
            for c in range(columns):
                out_row[c] = table_row[c]
            item += one
        segment += 1


@compiled
def sorted_choose_kernel(
    first: int, last: int, _: Ints, bounds: Ints, offsets: Ints, table: Floats, found: NDArray[np.int32], out: Floats
) -> None:
    """Each item's row of the table where `found` names the item, else 0, `[items, columns]`."""
    columns = np.uint64(table.shape[1])
    begin, end = np.int64(bounds[first]), np.int64(bounds[last])
    for item in range(np.uint64(begin), np.uint64(end)):
        out[item] = 0
    segment = segment_at(offsets, begin)
    while segment < len(offsets) - 1 and offsets[segment] < end:
        found_row, table_row = found[segment], table[segment]
        for c in range(columns):
            if begin <= found_row[c] < end:
                out[found_row[c], c] = table_row[c]
        segment += 1


@compiled
def sorted_extreme_kernel(
    first: int, last: int, chunks: Ints, bounds: Ints, values: Floats, sign: np.floating[Any], is_whole: bool,
    out: Floats,
) -> None:  # fmt: skip
    """Highest sign * value `[pieces, columns]`; a NaN is the highest of all.

    Where pieces are whole segments, the sign is taken off again, and nothing is 0.
    """
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    columns = np.uint64(values.shape[1])
    for piece in range(chunks[first], chunks[last]):
        out_row = out[piece]
        item, end = bounds[piece], bounds[piece + one]
        out_row[:] = -np.inf
        while item + four <= end:
            row_0, row_1, row_2, row_3 = values[item], values[item + one], values[item + two], values[item + three]
            for c in range(columns):
                a, b, old = sign * row_0[c], sign * row_1[c], out_row[c]
                a = a if (a > b) | (a != a) else b
                b, d = sign * row_2[c], sign * row_3[c]
                b = b if (b > d) | (b != b) else d
                a = a if (a > b) | (a != a) else b
                out_row[c] = a if (a > old) | (a != a) else old
            item += four
        while item < end:
            row_0 = values[item]
            for c in range(columns):
                a, old = sign * row_0[c], out_row[c]
                out_row[c] = a if (a > old) | (a != a) else old
            item += one
        if is_whole:
            factor = sign if end > bounds[piece] else sign * 0
            for c in range(columns):
                out_row[c] = factor * out_row[c] if end > bounds[piece] else factor


@compiled
def sorted_first_extreme_kernel(
    first: int, last: int, chunks: Ints, bounds: Ints, values: Floats, sign: np.floating[Any], is_whole: bool,
    out: Floats, found: NDArray[np.int32],
) -> None:  # fmt: skip
    """As `sorted_extreme_kernel`, and the first item that has it, -1 without items; two rows at a time."""
    one, two = np.uint64(1), np.uint64(2)
    columns = np.uint64(values.shape[1])
    for piece in range(chunks[first], chunks[last]):
        out_row, found_row = out[piece], found[piece]
        item, end = bounds[piece], bounds[piece + one]
        if item == end:
            out_row[:] = 0 if is_whole else -np.inf
            found_row[:] = -1
            continue
        row_0, number_0 = values[item], np.int32(item)
        for c in range(columns):
            out_row[c], found_row[c] = sign * row_0[c], number_0
        item += one
        while item + two <= end:
            row_0, row_1 = values[item], values[item + one]
            number_0, number_1 = np.int32(item), np.int32(item + one)
            for c in range(columns):
                a, b, old, number = sign * row_0[c], sign * row_1[c], out_row[c], found_row[c]
                # Better is what is not lower or equal, a NaN before all but another.
                take_b = (not b <= a) & (a == a)
                a, place = b if take_b else a, number_1 if take_b else number_0
                take_a = (not a <= old) & (old == old)
                out_row[c] = a if take_a else old
                found_row[c] = place if take_a else number
            item += two
        if item < end:
            row_0, number_0 = values[item], np.int32(item)
            for c in range(columns):
                a, old, number = sign * row_0[c], out_row[c], found_row[c]
                take_a = (not a <= old) & (old == old)
                out_row[c] = a if take_a else old
                found_row[c] = number_0 if take_a else number
        if is_whole:
            for c in range(columns):
                out_row[c] = sign * out_row[c]
