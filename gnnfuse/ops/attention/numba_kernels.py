"""The fused kernels behind `graph_attention(impl="numba")`. The derivation is in README.md.

Each kernel works on the chunks `first_chunk` to `last_chunk` of a `Work`; chunks write apart from each other,
so any number of threads gives the same bits. Indices arrive as uint64, which spares numba the wrap-around of
negative ones; an int64 next to them would turn both into float64, hence `np.uint64` around lengths.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnnfuse.ops.numba_compile import compiled

Ints = NDArray[Any]
Floats = NDArray[Any]


@compiled
def attention_forward_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, relation: Ints,
    query: Floats, key: Floats, value: Floats, bias: Floats, gate: Floats, scale: np.floating[Any],
    has_bias: bool, has_gate: bool, out: Floats, weights: Floats, log_total: Floats,
) -> None:  # fmt: skip
    """Out `[pieces, heads, value_dim]`, weights `[edges, heads]`, log of their sum `[pieces, heads]`."""
    one = np.uint64(1)
    heads = np.uint64(query.shape[1])
    head_dim = np.uint64(query.shape[2])
    value_dim = np.uint64(value.shape[2])
    highest = np.empty(query.shape[1], query.dtype)
    total = np.empty(query.shape[1], query.dtype)
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        query_row, out_row = query[row[piece]], out[piece]
        highest[:] = -np.inf
        total[:] = 0
        out_row[:] = 0
        for edge in range(bounds[piece], bounds[piece + one]):
            key_row, score = key[src[edge]], weights[edge]
            for head in range(heads):
                dot = query.dtype.type(0)
                for d in range(head_dim):
                    dot += query_row[head, d] * key_row[head, d]
                dot *= scale
                if has_bias:
                    dot += bias[relation[edge], head]
                score[head] = dot
                if dot > highest[head]:
                    highest[head] = dot
        for edge in range(bounds[piece], bounds[piece + one]):
            score = weights[edge]
            for head in range(heads):
                score[head] = math.exp(score[head] - highest[head])
                total[head] += score[head]
        for edge in range(bounds[piece], bounds[piece + one]):
            value_row, weight = value[src[edge]], weights[edge]
            for head in range(heads):
                weight[head] /= total[head]
                gated = weight[head]
                if has_gate:
                    gated *= gate[relation[edge], head]
                for d in range(value_dim):
                    out_row[head, d] += gated * value_row[head, d]
        for head in range(heads):
            log_total[piece, head] = highest[head] + math.log(total[head])


@compiled
def attention_backward_weight_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, relation: Ints,
    value: Floats, gate: Floats, has_gate: bool, weights: Floats, grad_out: Floats, needs_gate: bool,
    grad_weight: Floats, mean: Floats, grad_gate: Floats,
) -> None:  # fmt: skip
    """Gradients of the weights, their mean `[pieces, heads]`, and of the gate per chunk."""
    one = np.uint64(1)
    heads = np.uint64(value.shape[1])
    value_dim = np.uint64(value.shape[2])
    for chunk in range(first_chunk, last_chunk):
        for piece in range(chunks[chunk], chunks[chunk + 1]):
            grad_row = grad_out[row[piece]]
            mean[piece] = 0
            for edge in range(bounds[piece], bounds[piece + one]):
                value_row = value[src[edge]]
                for head in range(heads):
                    dot = value.dtype.type(0)
                    for d in range(value_dim):
                        dot += grad_row[head, d] * value_row[head, d]
                    if needs_gate:
                        grad_gate[chunk, relation[edge], head] += weights[edge, head] * dot
                    if has_gate:
                        dot *= gate[relation[edge], head]
                    grad_weight[edge, head] = dot
                    mean[piece, head] += weights[edge, head] * dot


@compiled
def attention_backward_score_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, row: Ints, src: Ints, relation: Ints,
    key: Floats, scale: np.floating[Any], weights: Floats, mean: Floats, needs_query: bool, needs_bias: bool,
    grad: Floats, grad_query: Floats, grad_bias: Floats,
) -> None:  # fmt: skip
    """Gradients of query and, per chunk, bias; `grad` enters as the weights' and leaves as the products'."""
    one = np.uint64(1)
    heads = np.uint64(key.shape[1])
    head_dim = np.uint64(key.shape[2])
    for chunk in range(first_chunk, last_chunk):
        for piece in range(chunks[chunk], chunks[chunk + 1]):
            mean_row = mean[row[piece]]
            if needs_query:
                grad_query[piece] = 0
            for edge in range(bounds[piece], bounds[piece + one]):
                key_row = key[src[edge]]
                for head in range(heads):
                    change = weights[edge, head] * (grad[edge, head] - mean_row[head])
                    if needs_bias:
                        grad_bias[chunk, relation[edge], head] += change
                    change *= scale
                    grad[edge, head] = change
                    if needs_query:
                        for d in range(head_dim):
                            grad_query[piece, head, d] += change * key_row[head, d]


@compiled
def attention_backward_source_kernel(
    first_chunk: int, last_chunk: int, chunks: Ints, bounds: Ints, edge_of: Ints, dst: Ints, relation: Ints,
    query: Floats, gate: Floats, has_gate: bool, weights: Floats, grad_out: Floats, grad_score: Floats,
    needs_key: bool, needs_value: bool, grad_key: Floats, grad_value: Floats,
) -> None:  # fmt: skip
    """Gradients of the key `[pieces, heads, head_dim]` and the value `[pieces, heads, value_dim]`."""
    one = np.uint64(1)
    heads = np.uint64(query.shape[1])
    head_dim = np.uint64(query.shape[2])
    value_dim = np.uint64(grad_out.shape[2])
    for piece in range(chunks[first_chunk], chunks[last_chunk]):
        if needs_key:
            grad_key[piece] = 0
        if needs_value:
            grad_value[piece] = 0
        for place in range(bounds[piece], bounds[piece + one]):
            edge = edge_of[place]
            query_row, grad_row = query[dst[place]], grad_out[dst[place]]
            for head in range(heads):
                if needs_key:
                    change = grad_score[edge, head]
                    for d in range(head_dim):
                        grad_key[piece, head, d] += change * query_row[head, d]
                if needs_value:
                    gated = weights[edge, head]
                    if has_gate:
                        gated *= gate[relation[edge], head]
                    for d in range(value_dim):
                        grad_value[piece, head, d] += gated * grad_row[head, d]
