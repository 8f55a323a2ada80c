"""Steps of the kernels of `graph_attention(impl="numba")` on one piece of a row, to be inlined into them.

Weights and scores are flat, one head after the other. For head sizes 16, 32 and 64, a vector spans as many heads as
make up 512 bytes in float32 (or half as many of size 16) if that divides the number of heads, else one head.
"""
# fmt: off

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.cpu.numba_compile import inlined
from gnnfuse.ops.cpu.numba_lanes import PLAIN, all_lanes, put, repeated, summed, vector_at
from gnnfuse.ops.cpu.numba_rows import add_four_rows, add_row, dot_four_rows, dot_row, fill, row_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Size = np.uint64

ZERO, ONE, TWO, THREE, FOUR, EIGHT = (np.uint64(number) for number in (0, 1, 2, 3, 4, 8))
SIXTEEN, THIRTY_TWO, SIXTY_FOUR = np.uint64(16), np.uint64(32), np.uint64(64)


def dot_piece_of(block: int, dim: int) -> Callable[..., None]:
    """`dot_piece` with vectors of `block` heads of size `dim`."""
    lanes = block * dim
    step, width = np.uint64(block), np.uint64(lanes)

    @inlined
    def dot_block(
        left_row: Floats, first: Size, last: Size, src: Ints, right: Floats, stride: Size, heads: Size, score: Floats,
    ) -> None:
        for turn in range(heads // step):
            left = vector_at(left_row, turn * width, lanes)
            for edge in range(first, last):
                products = left * vector_at(right, np.uint64(src[edge]) * stride + turn * width, lanes)
                put(score, edge * heads + turn * step, summed(products, dim))

    return dot_block


def weighted_piece_of(block: int, dim: int) -> Callable[..., None]:
    """`weighted_piece` with vectors of `block` heads of size `dim`."""
    lanes = block * dim
    step, width = np.uint64(block), np.uint64(lanes)

    @inlined
    def weighted_block(
        out_row: Floats, first: Size, last: Size, base: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
        weight: Floats, heads: Size,
    ) -> None:
        for turn in range(heads // step):
            total = all_lanes(rows.dtype.type(0), lanes)
            for index in range(first, last):
                row = vector_at(rows, np.uint64(source[index]) * stride + turn * width, lanes)
                factors = vector_at(weight, at(place, index, base) * heads + turn * step, block)
                total += repeated(factors, dim) * row
            put(out_row, turn * width, total)

    return weighted_block


@inlined
def at(place: Ints, index: Size, base: Size) -> Size:
    """`place[index]`, or `index - base` if `place` is empty."""
    return Size(place[index]) if place.shape[0] else index - base


dot_8_of_16, dot_1_of_16 = dot_piece_of(8, 16), dot_piece_of(1, 16)
dot_4_of_32, dot_1_of_32 = dot_piece_of(4, 32), dot_piece_of(1, 32)
dot_2_of_64, dot_1_of_64 = dot_piece_of(2, 64), dot_piece_of(1, 64)
dot_4_of_16 = dot_piece_of(4, 16)
weighted_8_of_16, weighted_1_of_16 = weighted_piece_of(8, 16), weighted_piece_of(1, 16)
weighted_4_of_32, weighted_1_of_32 = weighted_piece_of(4, 32), weighted_piece_of(1, 32)
weighted_2_of_64, weighted_1_of_64 = weighted_piece_of(2, 64), weighted_piece_of(1, 64)
weighted_4_of_16 = weighted_piece_of(4, 16)


@inlined
def dot_piece_of_vectors(
    left_row: Floats, first: Size, last: Size, src: Ints, right: Floats, stride: Size, heads: Size, dim: Size,
    score: Floats,
) -> None:
    """Per edge and head, `score` = dot product of the left row and the edge's right row."""
    if dim == SIXTEEN and heads % EIGHT == ZERO:
        dot_8_of_16(left_row, first, last, src, right, stride, heads, score)
    elif dim == SIXTEEN and heads % FOUR == ZERO:
        dot_4_of_16(left_row, first, last, src, right, stride, heads, score)
    elif dim == SIXTEEN:
        dot_1_of_16(left_row, first, last, src, right, stride, heads, score)
    elif dim == THIRTY_TWO and heads % FOUR == ZERO:
        dot_4_of_32(left_row, first, last, src, right, stride, heads, score)
    elif dim == THIRTY_TWO:
        dot_1_of_32(left_row, first, last, src, right, stride, heads, score)
    elif dim == SIXTY_FOUR and heads % TWO == ZERO:
        dot_2_of_64(left_row, first, last, src, right, stride, heads, score)
    elif dim == SIXTY_FOUR:
        dot_1_of_64(left_row, first, last, src, right, stride, heads, score)
    else:
        dot_piece_of_any(left_row, first, last, src, right, stride, heads, dim, score)


@inlined
def dot_piece_of_any(
    left_row: Floats, first: Size, last: Size, src: Ints, right: Floats, stride: Size, heads: Size, dim: Size,
    score: Floats,
) -> None:
    """Four rows at a time, then the rest one by one."""
    width = heads * dim
    while first + FOUR <= last:
        e0, e1, e2, e3 = first, first + ONE, first + TWO, first + THREE
        dot_four_rows(
            left_row, row_at(right, src[e0], stride, width), row_at(right, src[e1], stride, width),
            row_at(right, src[e2], stride, width), row_at(right, src[e3], stride, width), heads, dim,
            row_at(score, e0, heads, heads), row_at(score, e1, heads, heads),
            row_at(score, e2, heads, heads), row_at(score, e3, heads, heads),
        )
        first += FOUR
    while first < last:
        right_row = row_at(right, src[first], stride, width)
        dot_row(left_row, right_row, heads, dim, row_at(score, first, heads, heads))
        first += ONE


@inlined
def weighted_piece_of_vectors(
    out_row: Floats, first: Size, last: Size, base: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
    weight: Floats, heads: Size, dim: Size,
) -> None:
    """`out_row` = sum over p of weights `at(place, p, base)` times row `source[p]`."""
    if dim == SIXTEEN and heads % EIGHT == ZERO:
        weighted_8_of_16(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == SIXTEEN and heads % FOUR == ZERO:
        weighted_4_of_16(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == SIXTEEN:
        weighted_1_of_16(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == THIRTY_TWO and heads % FOUR == ZERO:
        weighted_4_of_32(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == THIRTY_TWO:
        weighted_1_of_32(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == SIXTY_FOUR and heads % TWO == ZERO:
        weighted_2_of_64(out_row, first, last, base, place, source, rows, stride, weight, heads)
    elif dim == SIXTY_FOUR:
        weighted_1_of_64(out_row, first, last, base, place, source, rows, stride, weight, heads)
    else:
        weighted_piece_of_any(out_row, first, last, base, place, source, rows, stride, weight, heads, dim)


@inlined
def weighted_piece_of_any(
    out_row: Floats, first: Size, last: Size, base: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
    weight: Floats, heads: Size, dim: Size,
) -> None:
    """Four rows at a time, then the rest one by one."""
    fill(out_row, 0)
    width = heads * dim
    while first + FOUR <= last:
        p0, p1, p2, p3 = first, first + ONE, first + TWO, first + THREE
        add_four_rows(
            out_row,
            row_at(weight, at(place, p0, base), heads, heads), row_at(weight, at(place, p1, base), heads, heads),
            row_at(weight, at(place, p2, base), heads, heads), row_at(weight, at(place, p3, base), heads, heads),
            row_at(rows, source[p0], stride, width), row_at(rows, source[p1], stride, width),
            row_at(rows, source[p2], stride, width), row_at(rows, source[p3], stride, width), heads, dim,
        )
        first += FOUR
    while first < last:
        weight_row = row_at(weight, at(place, first, base), heads, heads)
        add_row(out_row, weight_row, row_at(rows, source[first], stride, width), heads, dim)
        first += ONE


dot_piece = dot_piece_of_any if PLAIN else dot_piece_of_vectors
weighted_piece = weighted_piece_of_any if PLAIN else weighted_piece_of_vectors
