"""What the kernels of `graph_attention(impl="numba")` do with one piece of a row; parts to be compiled into them.

Sizes that are known when a kernel is compiled need no loop: the usual ones have code of their own.
"""
# fmt: off

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.attention.numba_dropout import kept_words
from gnnfuse.ops.numba_compile import inlined
from gnnfuse.ops.numba_exponential import exponential
from gnnfuse.ops.numba_rows import add_four_rows, add_row, dot_four_rows, dot_row, fill, row_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Number = np.floating[Any]
Size = np.uint64

ONE, TWO, THREE, FOUR, EIGHT = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4), np.uint64(8)
SIXTEEN, THIRTY_TWO, SIXTY_FOUR = np.uint64(16), np.uint64(32), np.uint64(64)


@inlined
def dot_piece(
    left_row: Floats, first: Size, last: Size, src: Ints, right: Floats, stride: Size, heads: Size, dim: Size,
    score: Floats,
) -> None:
    """`score[edge]` = products of the left row and the right row of each edge, head by head."""
    if dim == SIXTEEN:
        dot_piece_of(left_row, first, last, src, right, stride, heads, SIXTEEN, score)
    elif dim == THIRTY_TWO:
        dot_piece_of(left_row, first, last, src, right, stride, heads, THIRTY_TWO, score)
    elif dim == SIXTY_FOUR:
        dot_piece_of(left_row, first, last, src, right, stride, heads, SIXTY_FOUR, score)
    else:
        dot_piece_of(left_row, first, last, src, right, stride, heads, dim, score)


@inlined
def dot_piece_of(
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
            score[e0], score[e1], score[e2], score[e3],
        )
        first += FOUR
    while first < last:
        dot_row(left_row, row_at(right, src[first], stride, width), heads, dim, score[first])
        first += ONE


@inlined
def weighted_piece(
    out_row: Floats, first: Size, last: Size, base: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
    weight: Floats, heads: Size, dim: Size,
) -> None:
    """`out_row` = sum over p of `weight[place[p]]` times row `source[p]`; without a list, `weight[p - base]`."""
    fill(out_row, 0)
    if dim == SIXTEEN:
        weighted_piece_of(out_row, first, last, base, place, source, rows, stride, weight, heads, SIXTEEN)
    elif dim == THIRTY_TWO:
        weighted_piece_of(out_row, first, last, base, place, source, rows, stride, weight, heads, THIRTY_TWO)
    elif dim == SIXTY_FOUR:
        weighted_piece_of(out_row, first, last, base, place, source, rows, stride, weight, heads, SIXTY_FOUR)
    else:
        weighted_piece_of(out_row, first, last, base, place, source, rows, stride, weight, heads, dim)


@inlined
def weighted_piece_of(
    out_row: Floats, first: Size, last: Size, base: Size, place: Ints, source: Ints, rows: Floats, stride: Size,
    weight: Floats, heads: Size, dim: Size,
) -> None:
    """Four rows at a time, then the rest one by one."""
    width = heads * dim
    while first + FOUR <= last:
        p0, p1, p2, p3 = first, first + ONE, first + TWO, first + THREE
        add_four_rows(
            out_row, weight[at(place, p0, base)], weight[at(place, p1, base)],
            weight[at(place, p2, base)], weight[at(place, p3, base)],
            row_at(rows, source[p0], stride, width), row_at(rows, source[p1], stride, width),
            row_at(rows, source[p2], stride, width), row_at(rows, source[p3], stride, width), heads, dim,
        )
        first += FOUR
    while first < last:
        add_row(out_row, weight[at(place, first, base)], row_at(rows, source[first], stride, width), heads, dim)
        first += ONE


@inlined
def at(place: Ints, index: Size, base: Size) -> Size:
    """The number that stands there, or how far from `base` the index is where there is no list."""
    return Size(place[index]) if place.shape[0] else index - base


@inlined
def softmax_piece(
    first: Size, last: Size, relation: Ints, scale: Number, edge_bias: Floats, bias: Floats, heads: Size,
    weights: Floats, highest: Floats, total: Floats, inverse: Floats,
) -> None:
    """From scores to weights that sum to 1, in place; `highest`, `total` and `inverse` are `[heads]`."""
    if heads == FOUR:
        softmax_piece_of(first, last, relation, scale, edge_bias, bias, FOUR, weights, highest, total, inverse)
    elif heads == EIGHT:
        softmax_piece_of(first, last, relation, scale, edge_bias, bias, EIGHT, weights, highest, total, inverse)
    else:
        softmax_piece_of(first, last, relation, scale, edge_bias, bias, heads, weights, highest, total, inverse)


@inlined
def softmax_piece_of(
    first: Size, last: Size, relation: Ints, scale: Number, edge_bias: Floats, bias: Floats, heads: Size,
    weights: Floats, highest: Floats, total: Floats, inverse: Floats,
) -> None:
    """Three passes over the scores."""
    fill(highest, -np.inf)
    fill(total, 0)
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
            score_row[head] = exponential(score_row[head] - highest[head])
        for head in range(heads):
            total[head] += score_row[head]
    for head in range(heads):
        inverse[head] = 1 / total[head] if total[head] != 0 else 0
    for edge in range(first, last):
        score_row = weights[edge]
        for head in range(heads):
            score_row[head] *= inverse[head]


@inlined
def message_piece(
    first: Size, last: Size, base: Size, relation: Ints, weights: Floats, gate: Floats, has_gate: bool,
    seed: Size, least: Size, keep_scale: Number, drops: bool, heads: Size, words: Ints, message: Floats,
) -> None:
    """The weights, times `keep_scale` where the random word is at least `least`, else 0, and times the gate."""
    if heads == FOUR:
        message_piece_of(first, last, base, relation, weights, gate, has_gate, FOUR, message)
    elif heads == EIGHT:
        message_piece_of(first, last, base, relation, weights, gate, has_gate, EIGHT, message)
    else:
        message_piece_of(first, last, base, relation, weights, gate, has_gate, heads, message)
    if drops:
        for edge in range(first, last):
            row = message[edge - base]
            for head in range(heads):
                if head % FOUR == 0:
                    kept_words(seed, edge, head // FOUR, words)
                row[head] *= keep_scale if words[head % FOUR] >= least else 0


@inlined
def message_piece_of(
    first: Size, last: Size, base: Size, relation: Ints, weights: Floats, gate: Floats, has_gate: bool, heads: Size,
    message: Floats,
) -> None:
    """Without dropout."""
    for edge in range(first, last):
        row, weight_row = message[edge - base], weights[edge]
        if has_gate:
            gate_row = gate[relation[edge]]
            for head in range(heads):
                row[head] = weight_row[head] * gate_row[head]
        else:
            for head in range(heads):
                row[head] = weight_row[head]


@inlined
def weight_piece(
    first: Size, last: Size, relation: Ints, gate: Floats, heads: Size, grad: Floats, message: Floats, mean: Floats,
    grad_gate: Floats,
) -> None:
    """`message` times the gate, `grad` times that, `mean` the sum of it, and the gate's gradient."""
    if heads == FOUR:
        weight_piece_of(first, last, relation, gate, FOUR, grad, message, mean, grad_gate)
    elif heads == EIGHT:
        weight_piece_of(first, last, relation, gate, EIGHT, grad, message, mean, grad_gate)
    else:
        weight_piece_of(first, last, relation, gate, heads, grad, message, mean, grad_gate)


@inlined
def weight_piece_of(
    first: Size, last: Size, relation: Ints, gate: Floats, heads: Size, grad: Floats, message: Floats, mean: Floats,
    grad_gate: Floats,
) -> None:
    """Products are stored before they are summed: with one edge, their difference is exactly 0."""
    fill(mean, 0)
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


@inlined
def score_piece(
    first: Size, last: Size, relation: Ints, scale: Number, weights: Floats, mean: Floats, heads: Size,
    grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
) -> None:
    """From `weight_piece`'s `grad` to that of the unscaled scores; the gradients of the biases on the way."""
    if heads == FOUR:
        score_piece_of(first, last, relation, scale, weights, mean, FOUR, grad, grad_edge_bias, grad_bias)
    elif heads == EIGHT:
        score_piece_of(first, last, relation, scale, weights, mean, EIGHT, grad, grad_edge_bias, grad_bias)
    else:
        score_piece_of(first, last, relation, scale, weights, mean, heads, grad, grad_edge_bias, grad_bias)


@inlined
def score_piece_of(
    first: Size, last: Size, relation: Ints, scale: Number, weights: Floats, mean: Floats, heads: Size,
    grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
) -> None:
    """One pass."""
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
