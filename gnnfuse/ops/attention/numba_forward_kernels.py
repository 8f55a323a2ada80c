"""The forward kernels behind `graph_attention(impl="numba")`. The derivation is in README.md.

Each kernel works on the chunks `first_chunk` to `last_chunk` of a `Work`; chunks write apart from each other, so any
number of threads gives the same bits. Query, key and value are flat, with the distance between their rows; tables
are flat too, and empty where they were not given. Indices and lengths are unsigned (numba_rows.py says why).
"""
# fmt: off

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.attention.numba_dropout import message_rows
from gnnfuse.ops.numba_compile import compiled, inlined
from gnnfuse.ops.numba_rows import add_four_rows, add_row, dot_four_rows, dot_row, exp_below_zero, row_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Number = np.floating[Any]
Size = np.uint64

ONE, TWO, THREE, FOUR, EIGHT = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4), np.uint64(8)
SIXTEEN, THIRTY_TWO, SIXTY_FOUR = np.uint64(16), np.uint64(32), np.uint64(64)


@compiled
def attention_dot_score_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints,
    query: Floats, query_stride: Size, key: Floats, key_stride: Size, heads: Size, dim: Size, score: Floats,
) -> None:
    """Products of query and key, `score` `[edges, heads]`."""
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        query_row = row_at(query, row[piece], query_stride, heads * dim)
        first, last = bounds[piece], bounds[piece + ONE]
        # A size that is known when the kernel is compiled needs no loop; these have code of their own.
        if dim == SIXTEEN:
            dot_piece(query_row, first, last, src, key, key_stride, heads, SIXTEEN, score)
        elif dim == THIRTY_TWO:
            dot_piece(query_row, first, last, src, key, key_stride, heads, THIRTY_TWO, score)
        elif dim == SIXTY_FOUR:
            dot_piece(query_row, first, last, src, key, key_stride, heads, SIXTY_FOUR, score)
        else:
            dot_piece(query_row, first, last, src, key, key_stride, heads, dim, score)


@inlined
def dot_piece(
    query_row: Floats, first: Size, last: Size, src: Ints, key: Floats, stride: Size, heads: Size, dim: Size,
    score: Floats,
) -> None:
    """Four rows at a time, then the rest one by one."""
    width = heads * dim
    while first + FOUR <= last:
        e0, e1, e2, e3 = first, first + ONE, first + TWO, first + THREE
        dot_four_rows(
            query_row, row_at(key, src[e0], stride, width), row_at(key, src[e1], stride, width),
            row_at(key, src[e2], stride, width), row_at(key, src[e3], stride, width), heads, dim,
            score[e0], score[e1], score[e2], score[e3],
        )
        first += FOUR
    while first < last:
        dot_row(query_row, row_at(key, src[first], stride, width), heads, dim, score[first])
        first += ONE


@compiled
def attention_additive_score_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, relation: Ints,
    query: Floats, query_stride: Size, key: Floats, key_stride: Size, heads: Size, dim: Size,
    score_weight: Floats, slope: Number, score: Floats,
) -> None:
    """Weighted sums of the leaky ReLU of query + key, `score` `[edges, heads]`."""
    width = heads * dim
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        query_row = row_at(query, row[piece], query_stride, width)
        for edge in range(bounds[piece], bounds[piece + ONE]):
            key_row = row_at(key, src[edge], key_stride, width)
            weight_row = row_at(score_weight, relation[edge], width, width)
            score_row = score[edge]
            for head in range(heads):
                total = query.dtype.type(0)
                first = head * dim
                for d in range(dim):
                    joined = query_row[first + d] + key_row[first + d]
                    total += weight_row[first + d] * (joined if joined > 0 else slope * joined)
                score_row[head] = total


@compiled
def attention_softmax_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, relation: Ints, scale: Number,
    edge_bias: Floats, bias: Floats, heads: Size, weights: Floats, highest: Floats, total: Floats,
) -> None:
    """From scores to weights that sum to 1 in each piece, in place; `highest` and `total` are `[pieces, heads]`."""
    inverse = np.empty(heads, weights.dtype)
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        first, last, top, sums = bounds[piece], bounds[piece + ONE], highest[piece], total[piece]
        if heads == FOUR:
            softmax_piece(first, last, relation, scale, edge_bias, bias, FOUR, weights, top, sums, inverse)
        elif heads == EIGHT:
            softmax_piece(first, last, relation, scale, edge_bias, bias, EIGHT, weights, top, sums, inverse)
        else:
            softmax_piece(first, last, relation, scale, edge_bias, bias, heads, weights, top, sums, inverse)


@inlined
def softmax_piece(
    first: Size, last: Size, relation: Ints, scale: Number, edge_bias: Floats, bias: Floats, heads: Size,
    weights: Floats, highest: Floats, total: Floats, inverse: Floats,
) -> None:
    """The softmax over one piece."""
    highest[:] = -np.inf
    total[:] = 0
    for edge in range(first, last):
        score_row = weights[edge]
        for head in range(heads):
            score_row[head] *= scale
        if edge_bias.shape[0]:
            bias_row = edge_bias[edge]
            for head in range(heads):
                score_row[head] += bias_row[head]
        if bias.shape[0]:
            bias_row = bias[relation[edge]]
            for head in range(heads):
                score_row[head] += bias_row[head]
        for head in range(heads):
            highest[head] = score_row[head] if score_row[head] > highest[head] else highest[head]
    for head in range(heads):
        if highest[head] == -np.inf:  # every edge silenced, or none there: weights of 0, not NaN
            highest[head] = 0
    for edge in range(first, last):
        score_row = weights[edge]
        for head in range(heads):
            score_row[head] = exp_below_zero(score_row[head] - highest[head])
        for head in range(heads):
            total[head] += score_row[head]
    for head in range(heads):
        inverse[head] = 1 / total[head] if total[head] != 0 else 0
    for edge in range(first, last):
        score_row = weights[edge]
        for head in range(heads):
            score_row[head] *= inverse[head]


@compiled
def attention_message_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, relation: Ints, weights: Floats, gate: Floats,
    seed: Size, least: Size, keep_scale: Number, drops: bool, heads: Size, message: Floats,
) -> None:
    """What each value is multiplied by: the weight, kept or dropped, times the gate; `[edges, heads]`."""
    words = np.empty(4, np.uint64)
    first, last = bounds[chunks[first_chunk]], bounds[chunks[last_chunk]]
    message_rows(first, last, weights, seed, least, keep_scale, drops, heads, words, message)
    if gate.shape[0] == 0:
        return
    for edge in range(first, last):
        message_row, gate_row = message[edge], gate[relation[edge]]
        if heads == EIGHT:
            for head in range(EIGHT):
                message_row[head] *= gate_row[head]
        else:
            for head in range(heads):
                message_row[head] *= gate_row[head]


@compiled
def weighted_rows_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, place: Ints, source: Ints,
    rows: Floats, stride: Size, weight: Floats, heads: Size, dim: Size, out: Floats,
) -> None:
    """`out[piece]` = sum over its places p of `weight[place[p]]` times row `source[p]`; `place` empty: p itself."""
    width = heads * dim
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        out_row, first, last = row_at(out, piece, width, width), bounds[piece], bounds[piece + ONE]
        out_row[:] = 0
        if dim == SIXTEEN:
            add_weighted_rows(out_row, first, last, place, source, rows, stride, weight, heads, SIXTEEN)
        elif dim == THIRTY_TWO:
            add_weighted_rows(out_row, first, last, place, source, rows, stride, weight, heads, THIRTY_TWO)
        elif dim == SIXTY_FOUR:
            add_weighted_rows(out_row, first, last, place, source, rows, stride, weight, heads, SIXTY_FOUR)
        else:
            add_weighted_rows(out_row, first, last, place, source, rows, stride, weight, heads, dim)


@inlined
def add_weighted_rows(
    out_row: Floats, first: Size, last: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
    weight: Floats, heads: Size, dim: Size,
) -> None:
    """Four rows at a time, then the rest one by one."""
    width = heads * dim
    while first + FOUR <= last:
        p0, p1, p2, p3 = first, first + ONE, first + TWO, first + THREE
        add_four_rows(
            out_row, weight[at(place, p0)], weight[at(place, p1)], weight[at(place, p2)], weight[at(place, p3)],
            row_at(rows, source[p0], stride, width), row_at(rows, source[p1], stride, width),
            row_at(rows, source[p2], stride, width), row_at(rows, source[p3], stride, width), heads, dim,
        )
        first += FOUR
    while first < last:
        add_row(out_row, weight[at(place, first)], row_at(rows, source[first], stride, width), heads, dim)
        first += ONE


@inlined
def at(place: Ints, index: Size) -> Size:
    """The number that stands there, or the index itself where there is no list."""
    return Size(place[index]) if place.shape[0] else index
