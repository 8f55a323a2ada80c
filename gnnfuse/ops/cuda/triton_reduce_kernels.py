"""Kernels that reduce gathered rows: out[r] = reduce over the edges e of row r of weight[e] * value[source[e]].

A program works on some rows or slots (triton_spans.py) and on BLOCK_D columns (`program_id(1)`). A pointer of None
stands for a factor of 1, or for the edge's own position as index. Nothing is added atomically, so every run gives the
same bits.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any

import triton
import triton.language as tl

from gnnfuse.ops.cuda.triton_spans import COUNTS, Pointer, Scalar, Tile, edges_at, hubs, slot_of, spans

SUM, EXTREME, EXPONENTIALS = 0, 1, 2
NO_EDGE = tl.constexpr(2**31 - 1)


@triton.jit
def load_columns(ptr: Pointer, row: Tile, column: Tile, DIM: tl.constexpr, BLOCK_D: tl.constexpr) -> Tile:
    """The program's columns of rows `[BLOCK_E, ROWS]` of an array `[rows, dim]`, as `[BLOCK_E, ROWS, BLOCK_D]`."""
    flat = tl.reshape(row, [row.shape[0] * row.shape[1]]).to(tl.int64) * DIM
    at = (ptr + column)[None, :] + flat[:, None]
    tile = tl.load(at) if DIM % BLOCK_D == 0 else tl.load(at, mask=(column < DIM)[None, :], other=0)
    return tl.reshape(tile, [row.shape[0], row.shape[1], BLOCK_D])


@triton.jit
def load_terms(
    value_ptr: Pointer, other_ptr: Pointer, source_ptr: Pointer, number_ptr: Pointer, weight_ptr: Pointer,
    chosen_ptr: Pointer, edge: Tile, column: Tile, SIGN: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
) -> Tile:  # fmt: skip
    """The terms to reduce `[BLOCK_E, ROWS, BLOCK_D]`; with `chosen`, 0 unless its row holds the edge's number."""
    row, name = edge, edge
    if source_ptr is not None:
        row = tl.load(source_ptr + edge)
    if number_ptr is not None:
        name = tl.load(number_ptr + edge)
    tile = load_columns(value_ptr, row, column, DIM, BLOCK_D).to(ACCUMULATOR) * SIGN
    if other_ptr is not None:
        tile *= load_columns(other_ptr, row, column, DIM, BLOCK_D).to(ACCUMULATOR)
    if weight_ptr is not None:
        tile *= tl.load(weight_ptr + name).to(ACCUMULATOR)[:, :, None]
    if chosen_ptr is not None:
        chosen = load_columns(chosen_ptr, row, column, DIM, BLOCK_D)
        tile = tl.where(chosen == name[:, :, None], tile, 0.0)
    return tile


@triton.jit
def shift_of(highest: Tile) -> Tile:
    """The number subtracted from exponents: the highest, or 0 if it is infinite."""
    return tl.where(tl.abs(highest) == float("inf"), 0.0, highest)


@triton.jit
def start_of(ROWS: tl.constexpr, BLOCK_D: tl.constexpr, KIND: tl.constexpr, ACCUMULATOR: tl.constexpr) -> Any:
    """The partial result of no edges, two tiles `[ROWS, BLOCK_D]`."""
    first = tl.full([ROWS, BLOCK_D], 0 if KIND == 0 else float("-inf"), ACCUMULATOR)
    second = tl.full([ROWS, BLOCK_D], -1, tl.int32) if KIND == 1 else tl.full([ROWS, BLOCK_D], 0, ACCUMULATOR)
    return first, second


@triton.jit
def join(first: Tile, second: Tile, new_first: Tile, new_second: Tile, KIND: tl.constexpr) -> Any:
    """Merge two partial results: (sum, -), (highest, its edge) or (highest, sum of exponentials relative to it)."""
    if KIND == 0:
        first += new_first
    elif KIND == 1:
        is_nan = (new_first != new_first) & (first == first)
        better = (new_second >= 0) & ((second < 0) | (new_first > first) | is_nan)
        first = tl.where(better, new_first, first)
        second = tl.where(better, new_second, second)
    else:
        highest = tl.maximum(first, new_first)
        shift = shift_of(highest)
        second = second * tl.exp(first - shift) + new_second * tl.exp(shift_of(new_first) - shift)
        first = highest
    return first, second


@triton.jit
def reduce_tile(tile: Tile, edge: Tile, valid: Tile, KIND: tl.constexpr) -> Any:
    """The partial result of one tile; among equal extremes the first edge counts, and NaN exceeds every number."""
    valid = valid[:, :, None]
    if KIND == 0:
        first = tl.sum(tl.where(valid, tile, 0.0), 0)
        second = first
    elif KIND == 1:
        is_nan = (tile != tile) & valid
        highest = tl.max(tl.where(valid & (tile == tile), tile, float("-inf")), 0)
        has_nan = tl.max(is_nan.to(tl.int32), 0) > 0
        found = tl.where(has_nan[None, :, :], is_nan, (tile == highest[None, :, :]) & valid)
        second = tl.min(tl.where(found, edge[:, :, None], NO_EDGE), 0)
        second = tl.where(second == NO_EDGE, -1, second)
        first = tl.where(has_nan, float("nan"), highest)
    else:
        filled = tl.where(valid, tile, float("-inf"))
        first = tl.max(tl.where(filled == filled, filled, float("-inf")), 0)
        second = tl.sum(tl.exp(filled - shift_of(first)[None, :, :]), 0)
    return first, second


@triton.jit
def store_columns(
    ptr: Pointer, place: Tile, tile: Tile, exists: Tile, column: Tile, DIM: tl.constexpr
) -> None:  # fmt: skip
    """Write `[ROWS, BLOCK_D]` into rows of an array `[rows, dim]`."""
    at = (ptr + column)[None, :] + (place.to(tl.int64) * DIM)[:, None]
    tl.store(at, tile, mask=exists[:, None] & (column < DIM)[None, :])


@triton.jit
def finish(
    out_ptr: Pointer, second_ptr: Pointer, row: Tile, first: Tile, second: Tile, count: Tile, exists: Tile,
    column: Tile, KIND: tl.constexpr, SIGN: tl.constexpr, MEAN: tl.constexpr, DIM: tl.constexpr,
) -> None:  # fmt: skip
    """Write rows' results: divided by their counts for a mean, 0 for the extreme of no edges."""
    if MEAN:
        first = first / tl.maximum(count, 1).to(first.dtype)[:, None]
    if KIND == 1:
        first = tl.where(second < 0, 0.0, first * SIGN)
    store_columns(out_ptr, row, first, exists, column, DIM)
    if KIND != 0:
        store_columns(second_ptr, row, second, exists, column, DIM)


@triton.jit(do_not_specialize=COUNTS)
def reduce_rows_kernel(
    value_ptr: Pointer, other_ptr: Pointer, source_ptr: Pointer, number_ptr: Pointer, weight_ptr: Pointer,
    chosen_ptr: Pointer, offsets_ptr: Pointer, pieces_ptr: Pointer, rows: Scalar, halvings: Scalar,
    num_edges: Scalar, out_ptr: Pointer, second_ptr: Pointer,
    KIND: tl.constexpr, SIGN: tl.constexpr, MEAN: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr,
    ROWS: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
    ACCUMULATOR: tl.constexpr,
) -> None:  # fmt: skip
    """Out `[rows, dim]`, and the edge or the sum of exponentials; with IN_PIECES, partial results per slot."""
    place, _, start, stop, exists = spans(offsets_ptr, pieces_ptr, rows, halvings, num_edges, ROWS, PIECE, IN_PIECES)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, second = start_of(ROWS, BLOCK_D, KIND, ACCUMULATOR)
    for step in range(0, tl.max(stop - start), BLOCK_E):
        edge, valid = edges_at(start, stop, step, BLOCK_E)
        tile = load_terms(
            value_ptr, other_ptr, source_ptr, number_ptr, weight_ptr, chosen_ptr, edge, column,
            SIGN, DIM, BLOCK_D, ACCUMULATOR,
        )  # fmt: skip
        new_first, new_second = reduce_tile(tile, edge, valid, KIND)
        first, second = join(first, second, new_first, new_second, KIND)
    if IN_PIECES:
        store_columns(out_ptr, place, first, exists, column, DIM)
        if KIND != 0:
            store_columns(second_ptr, place, second, exists, column, DIM)
    else:
        finish(out_ptr, second_ptr, place, first, second, stop - start, exists, column, KIND, SIGN, MEAN, DIM)


@triton.jit(do_not_specialize=COUNTS)
def reduce_merge_kernel(
    part_ptr: Pointer, second_part_ptr: Pointer, offsets_ptr: Pointer, pieces_ptr: Pointer, slots: Scalar,
    out_ptr: Pointer, second_ptr: Pointer,
    KIND: tl.constexpr, SIGN: tl.constexpr, MEAN: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr,
    ROWS: tl.constexpr, PIECE: tl.constexpr, ACCUMULATOR: tl.constexpr,
) -> None:  # fmt: skip
    """The results of hubs, from their slots in order."""
    _, row, start, count = hubs(offsets_ptr, pieces_ptr, slots, ROWS, PIECE)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    first, second = start_of(ROWS, BLOCK_D, KIND, ACCUMULATOR)
    for step in range(0, tl.max(count), 4):
        for part in tl.static_range(4):  # four loads in flight
            exists = step + part < count
            at = tl.where(exists, slot_of(step + part, start, PIECE), 0).to(tl.int64) * DIM
            mask = exists[:, None] & (column < DIM)[None, :]
            new_first = tl.load((part_ptr + column)[None, :] + at[:, None], mask=mask, other=0)
            new_second = new_first
            if KIND != 0:
                new_second = tl.load((second_part_ptr + column)[None, :] + at[:, None], mask=mask, other=0)
            new_first, new_second = join(first, second, new_first, new_second, KIND)
            first, second = tl.where(mask, new_first, first), tl.where(mask, new_second, second)
    exists = count > 0
    edges = tl.load(offsets_ptr + row + 1, mask=exists, other=0) - tl.load(offsets_ptr + row, mask=exists, other=0)
    finish(out_ptr, second_ptr, row, first, second, edges, exists, column, KIND, SIGN, MEAN, DIM)
