"""Steps of the attention kernels on scores and weights, per edge and head, to be inlined into them.

All arrays are flat, one head after the other. A vector spans four heads if four divides their number, else one head.
"""
# fmt: off

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.attention.numba_dropout import kept_words
from gnnfuse.ops.cpu.numba_compile import inlined
from gnnfuse.ops.cpu.numba_exponential import exponential
from gnnfuse.ops.cpu.numba_lanes import PLAIN, all_lanes, inverted, larger, put, vector_at

Ints = NDArray[Any]
Floats = NDArray[Any]
Number = np.floating[Any]
Size = np.uint64

ZERO, FOUR = np.uint64(0), np.uint64(4)
LANES = 1 if PLAIN else 4


def softmax_of(lanes: int) -> Callable[..., None]:
    """`softmax_piece` with `lanes` heads per vector."""
    width = np.uint64(lanes)

    @inlined
    def softmax_lanes(
        first: Size, last: Size, relation: Ints, scale: Number, edge_bias: Floats, bias: Floats, heads: Size,
        weights: Floats, here: Size, highest: Floats, total: Floats,
    ) -> None:
        for head in range(ZERO, heads, width):
            top = all_lanes(weights.dtype.type(-np.inf), lanes)
            for edge in range(first, last):
                score = vector_at(weights, edge * heads + head, lanes) * all_lanes(scale, lanes)
                if edge_bias.shape[0]:
                    score += vector_at(edge_bias, edge * heads + head, lanes)
                if bias.shape[0]:
                    score += vector_at(bias, Size(relation[edge]) * heads + head, lanes)
                top = larger(score, top)
                put(weights, edge * heads + head, score)
            put(highest, here + head, top)
        for place in range(here, here + heads):
            if highest[place] == -np.inf:  # every edge silenced, or no edge: weights of 0, not NaN
                highest[place] = 0
        for head in range(ZERO, heads, width):
            top = vector_at(highest, here + head, lanes)
            for edge in range(first, last):
                put(weights, edge * heads + head, vector_at(weights, edge * heads + head, lanes) - top)
        for place in range(first * heads, last * heads):
            weights[place] = exponential(weights[place])
        for head in range(ZERO, heads, width):
            whole = all_lanes(weights.dtype.type(0), lanes)
            for edge in range(first, last):
                whole += vector_at(weights, edge * heads + head, lanes)
            put(total, here + head, whole)
            inverse = inverted(whole)
            for edge in range(first, last):
                put(weights, edge * heads + head, vector_at(weights, edge * heads + head, lanes) * inverse)

    return softmax_lanes

softmax_4, softmax_1 = softmax_of(LANES), softmax_of(1)


@inlined
def softmax_piece(
    first: Size, last: Size, relation: Ints, scale: Number, edge_bias: Floats, bias: Floats, heads: Size,
    weights: Floats, here: Size, highest: Floats, total: Floats,
) -> None:
    """Turn scores into weights that sum to 1, in place; writes `highest` and `total` from index `here` on."""
    if heads % FOUR == ZERO:
        softmax_4(first, last, relation, scale, edge_bias, bias, heads, weights, here, highest, total)
    else:
        softmax_1(first, last, relation, scale, edge_bias, bias, heads, weights, here, highest, total)


def message_of(lanes: int) -> Callable[..., None]:
    """`message_piece` without dropout, with `lanes` heads per vector."""
    width = np.uint64(lanes)

    @inlined
    def message_lanes(
        first: Size, last: Size, base: Size, relation: Ints, weights: Floats, gate: Floats, edge_gate: Floats,
        gates: bool, heads: Size, message: Floats,
    ) -> None:
        for edge in range(first, last):
            for head in range(ZERO, heads, width):
                weight = vector_at(weights, edge * heads + head, lanes)
                if gates and gate.shape[0]:
                    weight *= vector_at(gate, Size(relation[edge]) * heads + head, lanes)
                if gates and edge_gate.shape[0]:
                    weight *= vector_at(edge_gate, edge * heads + head, lanes)
                put(message, (edge - base) * heads + head, weight)

    return message_lanes


message_4, message_1 = message_of(LANES), message_of(1)


@inlined
def message_piece(
    first: Size, last: Size, base: Size, relation: Ints, weights: Floats, gate: Floats, edge_gate: Floats, gates: bool,
    seed: Size, least: Size, keep_scale: Number, drops: bool, heads: Size, words: Ints, message: Floats,
) -> None:
    """The weights, times `keep_scale` where the random word is at least `least`, else 0; times the gates if wanted."""
    if heads % FOUR == ZERO:
        message_4(first, last, base, relation, weights, gate, edge_gate, gates, heads, message)
    else:
        message_1(first, last, base, relation, weights, gate, edge_gate, gates, heads, message)
    if drops:
        for edge in range(first, last):
            for head in range(heads):
                if head % FOUR == ZERO:
                    kept_words(seed, edge, head // FOUR, words)
                message[(edge - base) * heads + head] *= keep_scale if words[head % FOUR] >= least else 0


def weight_of(lanes: int) -> Callable[..., None]:
    """`weight_piece` with `lanes` heads per vector."""
    width = np.uint64(lanes)

    @inlined
    def weight_lanes(
        first: Size, last: Size, relation: Ints, gate: Floats, edge_gate: Floats, heads: Size, grad: Floats,
        message: Floats, here: Size, mean: Floats, grad_gate: Floats, grad_edge_gate: Floats,
    ) -> None:
        for edge in range(first, last):
            for head in range(ZERO, heads, width):
                change = vector_at(grad, edge * heads + head, lanes)
                weight = vector_at(message, edge * heads + head, lanes)
                row, place = Size(relation[edge]) * heads + head, edge * heads + head
                own = weight
                if edge_gate.shape[0]:
                    own *= vector_at(edge_gate, place, lanes)
                if grad_gate.shape[0]:
                    put(grad_gate, row, vector_at(grad_gate, row, lanes) + own * change)
                if gate.shape[0]:
                    of_relation = vector_at(gate, row, lanes)
                    weight *= of_relation
                    own *= of_relation
                if grad_edge_gate.shape[0]:
                    put(grad_edge_gate, place, weight * change)
                put(message, place, own)
                put(grad, place, change * own)
        for head in range(ZERO, heads, width):
            whole = all_lanes(grad.dtype.type(0), lanes)
            for edge in range(first, last):
                whole += vector_at(grad, edge * heads + head, lanes)
            put(mean, here + head, whole)

    return weight_lanes


weight_4, weight_1 = weight_of(LANES), weight_of(1)


@inlined
def weight_piece(
    first: Size, last: Size, relation: Ints, gate: Floats, edge_gate: Floats, heads: Size, grad: Floats,
    message: Floats, here: Size, mean: Floats, grad_gate: Floats, grad_edge_gate: Floats,
) -> None:
    """`message` times the gates, `grad` times that, its sum in `mean` from `here` on, and the gates' gradients.

    Products are stored before they are summed: with one edge, their difference is exactly 0.
    """
    if heads % FOUR == ZERO:
        weight_4(
            first, last, relation, gate, edge_gate, heads, grad, message, here, mean, grad_gate, grad_edge_gate,
        )
    else:
        weight_1(
            first, last, relation, gate, edge_gate, heads, grad, message, here, mean, grad_gate, grad_edge_gate,
        )


def score_of(lanes: int) -> Callable[..., None]:
    """`score_piece` with `lanes` heads per vector."""
    width = np.uint64(lanes)

    @inlined
    def score_lanes(
        first: Size, last: Size, relation: Ints, scale: Number, weights: Floats, here: Size, mean: Floats, heads: Size,
        grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
    ) -> None:
        for edge in range(first, last):
            for head in range(ZERO, heads, width):
                place = edge * heads + head
                change = vector_at(grad, place, lanes)
                change -= vector_at(weights, place, lanes) * vector_at(mean, here + head, lanes)
                if grad_edge_bias.shape[0]:
                    put(grad_edge_bias, place, change)
                if grad_bias.shape[0]:
                    row = Size(relation[edge]) * heads + head
                    put(grad_bias, row, vector_at(grad_bias, row, lanes) + change)
                put(grad, place, change * all_lanes(scale, lanes))

    return score_lanes


score_4, score_1 = score_of(LANES), score_of(1)


@inlined
def score_piece(
    first: Size, last: Size, relation: Ints, scale: Number, weights: Floats, here: Size, mean: Floats, heads: Size,
    grad: Floats, grad_edge_bias: Floats, grad_bias: Floats,
) -> None:
    """Turn `weight_piece`'s `grad` into that of the unscaled scores, and write the gradients of the biases."""
    if heads % FOUR == ZERO:
        score_4(first, last, relation, scale, weights, here, mean, heads, grad, grad_edge_bias, grad_bias)
    else:
        score_1(first, last, relation, scale, weights, here, mean, heads, grad, grad_edge_bias, grad_bias)
