"""The backward kernels behind `graph_attention(impl="numba")` that the forward's do not cover; see README.md.

As in numba_forward_kernels.py; sums per relation are kept per chunk, `[chunks, relations, ...]`, and added up after.
"""
# fmt: off

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.attention.numba_dropout import message_rows
from gnnfuse.ops.numba_compile import compiled, inlined
from gnnfuse.ops.numba_rows import row_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Number = np.floating[Any]
Size = np.uint64

ONE, FOUR, EIGHT = np.uint64(1), np.uint64(4), np.uint64(8)


@compiled
def attention_backward_weight_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, relation: Ints, weights: Floats, gate: Floats,
    seed: Size, least: Size, keep_scale: Number, drops: bool, heads: Size, grad: Floats, message: Floats,
    mean: Floats, grad_gate: Floats,
) -> None:
    """`grad` enters as grad_out times value and leaves times `message`, what each value is multiplied by.

    `mean` `[pieces, heads]` is the sum of what leaves, `grad_gate` the gate's gradient per chunk.
    """
    words = np.empty(4, np.uint64)
    for chunk in range(first_chunk, last_chunk):
        for piece in range(chunks[chunk], chunks[chunk + 1]):
            first, last, sums, table = bounds[piece], bounds[piece + ONE], mean[piece], grad_gate[chunk]
            message_rows(first, last, weights, seed, least, keep_scale, drops, heads, words, message)
            if heads == FOUR:
                weight_piece(first, last, relation, gate, FOUR, grad, message, sums, table)
            elif heads == EIGHT:
                weight_piece(first, last, relation, gate, EIGHT, grad, message, sums, table)
            else:
                weight_piece(first, last, relation, gate, heads, grad, message, sums, table)


@inlined
def weight_piece(
    first: Size, last: Size, relation: Ints, gate: Floats, heads: Size, grad: Floats, message: Floats, mean: Floats,
    grad_gate: Floats,
) -> None:
    """One piece. Products are stored before they are summed: with one edge, their difference is exactly 0."""
    mean[:] = 0
    for edge in range(first, last):
        grad_row, message_row = grad[edge], message[edge]
        if grad_gate.shape[0]:
            gate_row = grad_gate[relation[edge]]
            for head in range(heads):
                gate_row[head] += message_row[head] * grad_row[head]
        if gate.shape[0]:
            gate_row = gate[relation[edge]]
            for head in range(heads):
                message_row[head] *= gate_row[head]
        for head in range(heads):
            grad_row[head] *= message_row[head]
    for edge in range(first, last):
        grad_row = grad[edge]
        for head in range(heads):
            mean[head] += grad_row[head]


@compiled
def attention_backward_score_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, relation: Ints, scale: Number,
    weights: Floats, mean: Floats, heads: Size, grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
) -> None:
    """From `weight_kernel`'s `grad` to that of the unscaled scores, in place; gradients of the biases on the way."""
    for chunk in range(first_chunk, last_chunk):
        for piece in range(chunks[chunk], chunks[chunk + 1]):
            first, last, sums, table = bounds[piece], bounds[piece + ONE], mean[row[piece]], grad_bias[chunk]
            if heads == FOUR:
                score_piece(first, last, relation, scale, weights, sums, FOUR, grad, grad_edge_bias, table)
            elif heads == EIGHT:
                score_piece(first, last, relation, scale, weights, sums, EIGHT, grad, grad_edge_bias, table)
            else:
                score_piece(first, last, relation, scale, weights, sums, heads, grad, grad_edge_bias, table)


@inlined
def score_piece(
    first: Size, last: Size, relation: Ints, scale: Number, weights: Floats, mean: Floats, heads: Size,
    grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
) -> None:
    """One piece."""
    for edge in range(first, last):
        grad_row, weight_row = grad[edge], weights[edge]
        for head in range(heads):
            grad_row[head] -= weight_row[head] * mean[head]
        if grad_edge_bias.shape[0]:
            edge_row = grad_edge_bias[edge]
            for head in range(heads):
                edge_row[head] = grad_row[head]
        if grad_bias.shape[0]:
            bias_row = grad_bias[relation[edge]]
            for head in range(heads):
                bias_row[head] += grad_row[head]
        for head in range(heads):
            grad_row[head] *= scale


@compiled
def attention_backward_additive_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, place: Ints, other: Ints, relation: Ints,
    own_rows: Floats, own_stride: Size, other_rows: Floats, other_stride: Size, heads: Size, dim: Size,
    score_weight: Floats, slope: Number, grad: Floats, grad_row: Floats, grad_weight: Floats,
) -> None:
    """Gradients of the rows at one end of the edges and, per chunk, of the additive score's weight.

    Query and key enter the score alike: by destination the own rows are queries, by source they are keys, and
    `place` says where the edges stand in the forward order (empty: where they are).
    """
    width = heads * dim
    for chunk in range(first_chunk, last_chunk):
        for piece in range(chunks[chunk], chunks[chunk + 1]):
            own = row_at(own_rows, row[piece], own_stride, width)
            out = row_at(grad_row, piece, width, width)
            out[:] = 0
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
