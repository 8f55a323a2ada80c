"""The fused kernels behind `graph_attention(impl="numba")`. The derivation is in README.md.

Each kernel works on the chunks `first_chunk` to `last_chunk` of a `Work`; chunks write to disjoint memory, so any
number of threads gives the same bits. Arrays are flat unless a shape is stated; query, key and value come with the
stride of their rows; tables that were not passed are empty. Indices and lengths are unsigned (see numba_rows.py).
"""
# fmt: off

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.attention.numba_pieces import dot_piece, weighted_piece
from gnnfuse.ops.attention.numba_weights import message_piece, score_piece, softmax_piece, weight_piece
from gnnfuse.ops.cpu.numba_compile import inlined, threaded
from gnnfuse.ops.cpu.numba_rows import fill, row_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Number = np.floating[Any]
Size = np.uint64

ONE = np.uint64(1)


@inlined
def longest_piece(first: Size, last: Size, order: Ints, bounds: Ints) -> Size:
    """Number of edges of the longest of some pieces."""
    longest = ONE
    for turn in range(first, last):
        piece = order[turn]
        longest = max(longest, bounds[piece + ONE] - bounds[piece])
    return longest


@threaded
def attention_forward_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, order: Ints, row: Ints, src: Ints, relation: Ints,
    query: Floats, query_stride: Size, key: Floats, key_stride: Size, value: Floats, value_stride: Size,
    heads: Size, dim: Size, value_dim: Size, has_scores: bool, scale: Number, edge_bias: Floats, bias: Floats,
    gate: Floats, edge_gate: Floats, seed: Size, least: Size, keep_scale: Number, drops: bool, nowhere: Ints,
    weights: Floats, highest: Floats, total: Floats, out: Floats,
) -> None:
    """The weights, and the output of each piece, its highest scores and sums of exponentials.

    With `has_scores`, `weights` holds the scores on entry.
    """
    words = np.empty(4, np.uint64)
    begin, end, width = chunks[first_chunk], chunks[last_chunk], heads * value_dim
    message = np.empty(longest_piece(begin, end, order, bounds) * heads, weights.dtype)
    for turn in range(begin, end):
        piece = order[turn]
        first, last = bounds[piece], bounds[piece + ONE]
        if not has_scores:
            query_row = row_at(query, row[piece], query_stride, heads * dim)
            dot_piece(query_row, first, last, src, key, key_stride, heads, dim, weights)
        softmax_piece(
            first, last, relation, scale, edge_bias, bias, heads, weights, piece * heads, highest, total,
        )
        message_piece(
            first, last, first, relation, weights, gate, edge_gate, True, seed, least, keep_scale, drops, heads, words,
            message,
        )
        out_row = row_at(out, piece, width, width)
        weighted_piece(out_row, first, last, first, nowhere, src, value, value_stride, message, heads, value_dim)


@threaded
def attention_additive_score_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, order: Ints, row: Ints, src: Ints, relation: Ints,
    query: Floats, query_stride: Size, key: Floats, key_stride: Size, heads: Size, dim: Size,
    score_weight: Floats, slope: Number, score: Floats,
) -> None:
    """Weighted sums of the leaky ReLU of query + key, `score` `[edges, heads]`."""
    width = heads * dim
    for turn in range(chunks[first_chunk], chunks[last_chunk]):
        piece = order[turn]
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


@threaded
def attention_backward_destination_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, order: Ints, row: Ints, src: Ints, relation: Ints,
    grad_out: Floats, grad_stride: Size, value: Floats, value_stride: Size, key: Floats, key_stride: Size,
    heads: Size, dim: Size, value_dim: Size, scale: Number, gate: Floats, edge_gate: Floats, seed: Size, least: Size,
    keep_scale: Number, drops: bool, nowhere: Ints, weights: Floats, before_mean: bool, after_mean: bool,
    grad: Floats, message: Floats, mean: Floats, grad_gate: Floats, grad_edge_gate: Floats, grad_edge_bias: Floats,
    grad_bias: Floats, grad_query: Floats,
) -> None:
    """Per edge, `grad` of the unscaled scores and `message`, the factor on its value; `grad_query` per piece.

    A row's mean gradient of the weights is needed before its scores' gradients. Where rows are cut into pieces, the
    kernel runs once before and once after the pieces' means are joined. `grad_gate` and `grad_bias` are per chunk,
    `[chunks, relations * heads]`.
    """
    words = np.empty(4, np.uint64)
    for chunk in range(first_chunk, last_chunk):
        gate_sums, bias_sums = grad_gate[chunk], grad_bias[chunk]
        for turn in range(chunks[chunk], chunks[chunk + 1]):
            piece = order[turn]
            first, last = bounds[piece], bounds[piece + ONE]
            if before_mean:
                grad_row = row_at(grad_out, row[piece], grad_stride, heads * value_dim)
                dot_piece(grad_row, first, last, src, value, value_stride, heads, value_dim, grad)
                message_piece(
                    first, last, Size(0), relation, weights, gate, edge_gate, False, seed, least, keep_scale, drops,
                    heads, words, message,
                )
                weight_piece(
                    first, last, relation, gate, edge_gate, heads, grad, message, piece * heads, mean, gate_sums,
                    grad_edge_gate,
                )
            if after_mean:
                score_piece(
                    first, last, relation, scale, weights, row[piece] * heads, mean, heads, grad, grad_edge_bias,
                    bias_sums,
                )
                if grad_query.shape[0]:
                    query_row = row_at(grad_query, piece, heads * dim, heads * dim)
                    weighted_piece(query_row, first, last, Size(0), nowhere, src, key, key_stride, grad, heads, dim)


@threaded
def attention_backward_source_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, order: Ints, edge: Ints, dst: Ints,
    rows: Floats, stride: Size, weight: Floats, heads: Size, dim: Size, out: Floats,
) -> None:
    """`out` of each piece: the sum over its edges of the destination's row times the edge's weight."""
    width = heads * dim
    for turn in range(chunks[first_chunk], chunks[last_chunk]):
        piece = order[turn]
        out_row, first, last = row_at(out, piece, width, width), bounds[piece], bounds[piece + ONE]
        weighted_piece(out_row, first, last, Size(0), edge, dst, rows, stride, weight, heads, dim)


@threaded
def attention_backward_additive_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, order: Ints, row: Ints, place: Ints, other: Ints,
    relation: Ints,
    own_rows: Floats, own_stride: Size, other_rows: Floats, other_stride: Size, heads: Size, dim: Size,
    score_weight: Floats, slope: Number, grad: Floats, grad_row: Floats, grad_weight: Floats,
) -> None:
    """Gradients of the rows at one end of the edges and, per chunk, of the additive score's weight.

    Query and key enter the score alike: by destination a row is a query, by source a key. `place` holds the edges'
    positions in the forward order (empty: their own).
    """
    width = heads * dim
    for chunk in range(first_chunk, last_chunk):
        for turn in range(chunks[chunk], chunks[chunk + 1]):
            piece = order[turn]
            own = row_at(own_rows, row[piece], own_stride, width)
            out = row_at(grad_row, piece, width, width)
            fill(out, 0)
            for index in range(bounds[piece], bounds[piece + ONE]):
                edge = Size(place[index]) if place.shape[0] else index
                them = row_at(other_rows, other[index], other_stride, width)
                weight = row_at(score_weight, relation[edge], width, width)
                change = grad[edge]
                for head in range(heads):
                    first, factor = head * dim, change[head]
                    for d in range(first, first + dim):
                        joined = own[d] + them[d]
                        out[d] += factor * weight[d] * (1 if joined > 0 else slope)
                if grad_weight.shape[1]:
                    sums = grad_weight[chunk, relation[edge]]
                    for head in range(heads):
                        first, factor = head * dim, change[head]
                        for d in range(first, first + dim):
                            joined = own[d] + them[d]
                            sums[d] += factor * (joined if joined > 0 else slope * joined)
