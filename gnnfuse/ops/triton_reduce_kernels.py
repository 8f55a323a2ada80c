"""Kernels that reduce gathered rows: out[r] = reduce over the edges e of row r of weight[e] * value[source[e]].

Letters: E edges of a block, D columns of a block. What an absent tensor would add is left out when the kernel is
compiled; its pointer is then another tensor's. Rows of more than `piece` edges are left to the piece kernels: block p
of them holds the edges p * piece up to (p + 1) * piece, and so touches two such rows at most, the one of its first
edge and the one of its last. Each has a slot of its own, so nothing is added atomically and every run gives the same
bits.
"""
# ruff: noqa: N803 - what is known when a kernel is compiled is written in capitals

import triton
import triton.language as tl

SUM, EXTREME, EXPONENTIALS = 0, 1, 2


@triton.jit
def find_row(offsets, rows, edge):  # type: ignore[no-untyped-def]
    """The row that an edge is of: the last one that begins at or before it."""
    low = edge * 0
    high = low + rows
    while high - low > 1:
        middle = (low + high) // 2
        begins_before = tl.load(offsets + middle) <= edge
        low = tl.where(begins_before, middle, low)
        high = tl.where(begins_before, high, middle)
    return low


@triton.jit
def load_tile(  # type: ignore[no-untyped-def]
    value, other, source, number, weight, chosen, edge, column, edge_mask, dim, SIGN: tl.constexpr,
    HAS_OTHER: tl.constexpr, HAS_SOURCE: tl.constexpr, HAS_NUMBER: tl.constexpr, HAS_WEIGHT: tl.constexpr,
    HAS_CHOSEN: tl.constexpr, ACCUMULATOR: tl.constexpr,
):  # fmt: skip
    """What is to be reduced, [E, D], 0 where masked; `chosen` keeps what its row names as this edge's."""
    mask = edge_mask[:, None] & (column < dim)[None, :]
    row = edge
    if HAS_SOURCE:
        row = tl.load(source + edge, mask=edge_mask, other=0).to(tl.int64)
    name = edge
    if HAS_NUMBER:
        name = tl.load(number + edge, mask=edge_mask, other=0).to(tl.int64)
    place = row[:, None] * dim + column[None, :]
    tile = tl.load(value + place, mask=mask, other=0).to(ACCUMULATOR) * SIGN
    if HAS_OTHER:
        tile *= tl.load(other + place, mask=mask, other=0).to(ACCUMULATOR)
    if HAS_WEIGHT:
        tile *= tl.load(weight + name, mask=edge_mask, other=0).to(ACCUMULATOR)[:, None]
    if HAS_CHOSEN:
        tile = tl.where(tl.load(chosen + place, mask=mask, other=-1) == name[:, None], tile, 0)
    return tile


@triton.jit
def shift_of(highest):  # type: ignore[no-untyped-def]
    """What exponents are taken relative to: the highest, or 0 where it is infinite."""
    return tl.where(tl.abs(highest) == float("inf"), 0.0, highest)


@triton.jit
def join(first, second, new_first, new_second, KIND: tl.constexpr):  # type: ignore[no-untyped-def]
    """Two partial results in one: (sum, -), (highest, its edge) or (highest, sum of exponentials relative to it)."""
    if KIND == 0:
        first += new_first
    elif KIND == 1:
        is_nan = (new_first != new_first) & (first == first)
        better = (second < 0) | (new_first > first) | is_nan
        first = tl.where(better, new_first, first)
        second = tl.where(better, new_second, second)
    else:
        highest = tl.maximum(first, new_first)
        shift = shift_of(highest)
        second = second * tl.exp(first - shift) + new_second * tl.exp(shift_of(new_first) - shift)
        first = highest
    return first, second


@triton.jit
def reduce_tile(tile, edge, edge_mask, KIND: tl.constexpr):  # type: ignore[no-untyped-def]
    """A partial result of one tile; of equal extremes the first edge counts, and a NaN is the highest of all."""
    if KIND == 0:
        first = tl.sum(tile, 0)
        second = first
    elif KIND == 1:
        is_nan = (tile != tile) & edge_mask[:, None]
        filled = tl.where(edge_mask[:, None] & (tile == tile), tile, float("-inf"))
        highest = tl.max(filled, 0)
        has_nan = tl.max(is_nan.to(tl.int32), 0) > 0
        found = tl.where(has_nan[None, :], is_nan, (tile == highest[None, :]) & edge_mask[:, None])
        second = tl.min(tl.where(found, edge[:, None].to(tl.int32), 2147483647), 0)
        first = tl.where(has_nan, float("nan"), highest)
    else:
        filled = tl.where(edge_mask[:, None], tile, float("-inf"))
        first = tl.max(tl.where(filled == filled, filled, float("-inf")), 0)
        second = tl.sum(tl.exp(filled - shift_of(first)[None, :]), 0)
    return first, second


@triton.jit
def reduce_span(  # type: ignore[no-untyped-def]
    value, other, source, number, weight, chosen, begin, end, column, dim, KIND: tl.constexpr, SIGN: tl.constexpr,
    HAS_OTHER: tl.constexpr, HAS_SOURCE: tl.constexpr, HAS_NUMBER: tl.constexpr, HAS_WEIGHT: tl.constexpr,
    HAS_CHOSEN: tl.constexpr, ACCUMULATOR: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """The partial result [D], [D] of the edges from `begin` up to `end`."""
    first = tl.full([BLOCK_D], 0 if KIND == 0 else float("-inf"), ACCUMULATOR)
    second = tl.full([BLOCK_D], -1, tl.int32) if KIND == 1 else tl.full([BLOCK_D], 0, ACCUMULATOR)
    for start in range(begin, end, BLOCK_E):
        edge = start + tl.arange(0, BLOCK_E).to(tl.int64)
        edge_mask = edge < end
        tile = load_tile(
            value, other, source, number, weight, chosen, edge, column, edge_mask, dim, SIGN,
            HAS_OTHER, HAS_SOURCE, HAS_NUMBER, HAS_WEIGHT, HAS_CHOSEN, ACCUMULATOR,
        )  # fmt: skip
        new_first, new_second = reduce_tile(tile, edge, edge_mask, KIND)
        first, second = join(first, second, new_first, new_second, KIND)
    return first, second


@triton.jit
def finish(  # type: ignore[no-untyped-def]
    out, second_out, row, column, dim, first, second, count, KIND: tl.constexpr, SIGN: tl.constexpr, MEAN: tl.constexpr
):
    """Write a row's result: divided by its count for a mean, 0 for the extreme of nothing."""
    place = row * dim + column
    if MEAN:
        first = first / tl.maximum(count, 1).to(first.dtype)
    if KIND == 1:
        first = tl.where(second < 0, 0.0, first * SIGN)
    tl.store(out + place, first, mask=column < dim)
    if KIND != 0:
        tl.store(second_out + place, second, mask=column < dim)


@triton.jit
def reduce_rows_kernel(  # type: ignore[no-untyped-def]
    value, other, offsets, source, number, weight, chosen, out, second_out, dim, piece, KIND: tl.constexpr,
    SIGN: tl.constexpr, MEAN: tl.constexpr, HAS_OTHER: tl.constexpr, HAS_SOURCE: tl.constexpr,
    HAS_NUMBER: tl.constexpr, HAS_WEIGHT: tl.constexpr, HAS_CHOSEN: tl.constexpr, ACCUMULATOR: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Program (row, block of columns): out `[rows, dim]`, and the edge or the sum of exponentials beside it."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    begin = tl.load(offsets + row)
    end = tl.load(offsets + row + 1)
    if end - begin <= piece:
        first, second = reduce_span(
            value, other, source, number, weight, chosen, begin, end, column, dim, KIND, SIGN,
            HAS_OTHER, HAS_SOURCE, HAS_NUMBER, HAS_WEIGHT, HAS_CHOSEN, ACCUMULATOR, BLOCK_E, BLOCK_D,
        )  # fmt: skip
        finish(out, second_out, row, column, dim, first, second, end - begin, KIND, SIGN, MEAN)


@triton.jit
def reduce_pieces_kernel(  # type: ignore[no-untyped-def]
    value, other, offsets, source, number, weight, chosen, part, second_part, rows, edges, dim, piece,
    KIND: tl.constexpr, SIGN: tl.constexpr, HAS_OTHER: tl.constexpr, HAS_SOURCE: tl.constexpr,
    HAS_NUMBER: tl.constexpr, HAS_WEIGHT: tl.constexpr, HAS_CHOSEN: tl.constexpr, ACCUMULATOR: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Program (block p, slot, block of columns): part `[blocks, 2, dim]` of the long row at that end of p."""
    block = tl.program_id(0).to(tl.int64)
    slot = tl.program_id(1)
    column = tl.program_id(2) * BLOCK_D + tl.arange(0, BLOCK_D)
    block_begin = block * piece
    block_end = tl.minimum(block_begin + piece, edges)
    row = find_row(offsets, rows, tl.where(slot == 0, block_begin, block_end - 1))
    begin = tl.load(offsets + row)
    end = tl.load(offsets + row + 1)
    # A row that fills the block is found from both of its ends: it stands in slot 0.
    is_own = (slot == 0) | (begin > block_begin)
    if (end - begin > piece) & is_own:
        first, second = reduce_span(
            value, other, source, number, weight, chosen, tl.maximum(begin, block_begin), tl.minimum(end, block_end),
            column, dim, KIND, SIGN, HAS_OTHER, HAS_SOURCE, HAS_NUMBER, HAS_WEIGHT, HAS_CHOSEN, ACCUMULATOR,
            BLOCK_E, BLOCK_D,
        )  # fmt: skip
        place = (block * 2 + slot) * dim + column
        tl.store(part + place, first, mask=column < dim)
        if KIND != 0:
            tl.store(second_part + place, second, mask=column < dim)


@triton.jit
def reduce_join_kernel(  # type: ignore[no-untyped-def]
    part, second_part, offsets, out, second_out, rows, edges, dim, piece, KIND: tl.constexpr, SIGN: tl.constexpr,
    MEAN: tl.constexpr, ACCUMULATOR: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """Program (block p, block of columns): the result of the long row that begins in p, from the parts in order."""
    block = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    mask = column < dim
    block_begin = block * piece
    row = find_row(offsets, rows, tl.minimum(block_begin + piece, edges) - 1)
    begin = tl.load(offsets + row)
    end = tl.load(offsets + row + 1)
    if (end - begin > piece) & (begin >= block_begin):
        first = tl.full([BLOCK_D], 0 if KIND == 0 else float("-inf"), ACCUMULATOR)
        second = tl.full([BLOCK_D], -1, tl.int32) if KIND == 1 else tl.full([BLOCK_D], 0, ACCUMULATOR)
        for number in range(block, (end - 1) // piece + 1):
            slot = tl.where(begin > number * piece, 1, 0)
            place = (number * 2 + slot) * dim + column
            new_first = tl.load(part + place, mask=mask, other=0)
            new_second = new_first
            if KIND != 0:
                new_second = tl.load(second_part + place, mask=mask, other=0)
            first, second = join(first, second, new_first, new_second, KIND)
        finish(out, second_out, row, column, dim, first, second, end - begin, KIND, SIGN, MEAN)
