"""The backward kernels behind `graph_attention(impl="triton")` that sum over the edges of each relation.

A program walks a stretch of the list. Its sums per relation are a matrix product: a matrix of zeros and ones that
assigns edges to relations, times the edges' terms. Every program writes sums of its own: nothing is added atomically.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_scores import joined
from gnnfuse.ops.attention.triton_tiles import columns, group_of_heads, load_rows
from gnnfuse.ops.cuda.triton_spans import COUNTS, Pointer, Scalar, Tile


@triton.jit
def edges_of(begin: Scalar, stop: Scalar, relation_ptr: Pointer, edge_dst_ptr: Pointer, BLOCK_E: tl.constexpr) -> Any:
    """The next edges `[BLOCK_E]` (beyond the end, the last one), which are real, their relations and destinations."""
    edge = begin + tl.arange(0, BLOCK_E)
    at = tl.minimum(edge, stop - 1)
    return at, edge < stop, tl.load(relation_ptr + at), tl.load(edge_dst_ptr + at)


@triton.jit
def changes(
    edge: Tile, valid: Tile, relation: Tile, dst: Tile, head: Tile, weight_ptr: Pointer, edge_grad_ptr: Pointer,
    mean_ptr: Pointer, gate_ptr: Pointer, edge_gate_ptr: Pointer, HEADS: tl.constexpr,
) -> Any:  # fmt: skip
    """Gradients of the score and of the edge's gate, and the edge's term of its relation's gate gradient; 0 if invalid.

    All `[BLOCK_E, HEADS_BLOCK]`.
    """
    mask = valid[:, None] & (head < HEADS)[None, :]
    at = edge.to(tl.int64)[:, None] * HEADS + head[None, :]
    weight = tl.load(weight_ptr + at, mask=mask, other=0.0)
    grad = tl.load(edge_grad_ptr + at, mask=mask, other=0.0)
    mean = tl.load(mean_ptr + dst.to(tl.int64)[:, None] * HEADS + head[None, :], mask=mask, other=0.0)
    of_edge = weight * grad
    term = of_edge
    if edge_gate_ptr is not None:
        gate = tl.load(edge_gate_ptr + at, mask=mask, other=0.0).to(tl.float32)
        grad *= gate
        term *= gate
    if gate_ptr is not None:
        at = relation.to(tl.int64)[:, None] * HEADS + head[None, :]
        gate = tl.load(gate_ptr + at, mask=mask, other=0.0).to(tl.float32)
        grad *= gate
        of_edge *= gate
    return weight * (grad - mean), of_edge, term


@triton.jit
def relations_of(RELATIONS_BLOCK: tl.constexpr) -> Tile:
    """The relations this program sums for, `[RELATIONS_BLOCK]`."""
    return tl.program_id(2) * RELATIONS_BLOCK + tl.arange(0, RELATIONS_BLOCK)


@triton.jit
def shortened(number: Tile) -> Tile:
    """A float32 number cut to its first 11 bits, as many as the tensor cores' tf32 holds."""
    return (number.to(tl.uint32, bitcast=True) & 0xFFFFE000).to(tl.float32, bitcast=True)


@triton.jit
def add_by_relation(total: Tile, is_of: Tile, terms: Tile) -> Tile:
    """`total` `[RELATIONS_BLOCK, n]` plus the terms `[BLOCK_E, n]` of each relation's edges.

    Each term is split into three numbers that tf32 holds, which make up all of its 24 bits; products with 0 and 1 are
    exact. Tensor cores truncate their sums, so a long sum would shrink: they sum only one tile.
    """
    high = shortened(terms)
    middle = shortened(terms - high)
    low = terms - high - middle
    tile = tl.dot(is_of, low, input_precision="tf32")
    tile = tl.dot(is_of, middle, tile, input_precision="tf32")
    return total + tl.dot(is_of, high, tile, input_precision="tf32")


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_tables_kernel(
    relation_ptr: Pointer, edge_dst_ptr: Pointer, weight_ptr: Pointer, edge_grad_ptr: Pointer, mean_ptr: Pointer,
    gate_ptr: Pointer, edge_gate_ptr: Pointer, num_edges: Scalar, edges_per_program: Scalar, relations: Scalar,
    grad_bias_ptr: Pointer, grad_gate_ptr: Pointer, grad_edge_bias_ptr: Pointer, grad_edge_gate_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, RELATIONS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[stretches, relations, heads]`, and gradients per edge `[edges, heads]`."""
    head = group_of_heads(HEADS_BLOCK)
    wanted = relations_of(RELATIONS_BLOCK)
    bias = tl.zeros([RELATIONS_BLOCK, HEADS_BLOCK], tl.float32)
    gate = tl.zeros([RELATIONS_BLOCK, HEADS_BLOCK], tl.float32)
    start = tl.program_id(0) * edges_per_program
    stop = tl.minimum(start + edges_per_program, num_edges)
    for begin in range(start, stop, BLOCK_E):
        edge, valid, relation, dst = edges_of(begin, stop, relation_ptr, edge_dst_ptr, BLOCK_E)
        change, of_edge, term = changes(
            edge, valid, relation, dst, head, weight_ptr, edge_grad_ptr, mean_ptr, gate_ptr, edge_gate_ptr, HEADS
        )  # fmt: skip
        mask = valid[:, None] & (head < HEADS)[None, :]
        at = edge.to(tl.int64)[:, None] * HEADS + head[None, :]
        if grad_edge_bias_ptr is not None:
            tl.store(grad_edge_bias_ptr + at, change, mask=mask)
        if grad_edge_gate_ptr is not None:
            tl.store(grad_edge_gate_ptr + at, of_edge, mask=mask)
        is_of = (relation[None, :] == wanted[:, None]).to(tl.float32)
        if grad_bias_ptr is not None:
            bias = add_by_relation(bias, is_of, change)
        if grad_gate_ptr is not None:
            gate = add_by_relation(gate, is_of, term)
    own = (tl.program_id(0).to(tl.int64) * relations + wanted)[:, None] * HEADS + head[None, :]
    mask = (wanted < relations)[:, None] & (head < HEADS)[None, :]
    if grad_bias_ptr is not None:
        tl.store(grad_bias_ptr + own, bias, mask=mask)
    if grad_gate_ptr is not None:
        tl.store(grad_gate_ptr + own, gate, mask=mask)


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_score_weight_kernel(
    query_ptr: Pointer, key_ptr: Pointer, src_ptr: Pointer, relation_ptr: Pointer, edge_dst_ptr: Pointer,
    weight_ptr: Pointer, edge_grad_ptr: Pointer, mean_ptr: Pointer, gate_ptr: Pointer, edge_gate_ptr: Pointer,
    scale: Scalar, negative_slope: Scalar, num_edges: Scalar, edges_per_program: Scalar, relations: Scalar,
    grad_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, RELATIONS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[stretches, relations, heads, head_dim]`."""
    head = group_of_heads(HEADS_BLOCK)
    wanted = relations_of(RELATIONS_BLOCK)
    total = tl.zeros([RELATIONS_BLOCK, HEADS_BLOCK * HEAD_PAD], tl.float32)
    start = tl.program_id(0) * edges_per_program
    stop = tl.minimum(start + edges_per_program, num_edges)
    for begin in range(start, stop, BLOCK_E):
        edge, valid, relation, dst = edges_of(begin, stop, relation_ptr, edge_dst_ptr, BLOCK_E)
        change, _, _ = changes(
            edge, valid, relation, dst, head, weight_ptr, edge_grad_ptr, mean_ptr, gate_ptr, edge_gate_ptr, HEADS
        )  # fmt: skip
        src = tl.load(src_ptr + edge)
        query = load_rows(query_ptr, dst, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        key = load_rows(key_ptr, src, KEY_STRIDE, KEY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        terms = (scale * change)[:, :, None] * joined(query + key, negative_slope)
        terms = tl.where(valid[:, None, None], terms, 0.0)
        is_of = (relation[None, :] == wanted[:, None]).to(tl.float32)
        total = add_by_relation(total, is_of, tl.reshape(terms, [BLOCK_E, HEADS_BLOCK * HEAD_PAD]))
    column, exists = columns(HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    own = (tl.program_id(0).to(tl.int64) * relations + wanted)[:, None] * (HEADS * HEAD_DIM) + column[None, :]
    tl.store(grad_ptr + own, total, mask=(wanted < relations)[:, None] & exists[None, :])
