"""The backward kernels behind `graph_attention(impl="triton")` that sum over the edges of each relation.

A program looks for the edges of one relation in a stretch of the list, and reads the rest of what it needs for these
alone. All sums stay in registers, and every program writes its own: nothing is added atomically.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_scores import joined
from gnnfuse.ops.attention.triton_tiles import columns, group_of_heads, load_rows
from gnnfuse.ops.triton_spans import COUNTS, Pointer, Scalar, Tile


@triton.jit
def stretch(num_edges: Scalar, edges_per_program: Scalar, relations: Scalar) -> Any:
    """The program's relation, first edge and end."""
    start = (tl.program_id(0) // relations) * edges_per_program
    return tl.program_id(0) % relations, start, tl.minimum(start + edges_per_program, num_edges)


@triton.jit
def changes(
    edge: Tile, relation: Tile, hit: Tile, head: Tile, edge_dst_ptr: Pointer, weight_ptr: Pointer,
    edge_grad_ptr: Pointer, mean_ptr: Pointer, gate_ptr: Pointer, HEADS: tl.constexpr,
) -> Any:  # fmt: skip
    """Gradient of the score, and an edge's term of its gate's gradient `[BLOCK_E, HEADS_BLOCK]`; 0 where no hit."""
    mask = hit[:, None] & (head < HEADS)[None, :]
    at = edge.to(tl.int64)[:, None] * HEADS + head[None, :]
    dst = tl.load(edge_dst_ptr + edge, mask=hit, other=0)
    weight = tl.load(weight_ptr + at, mask=mask, other=0.0)
    grad = tl.load(edge_grad_ptr + at, mask=mask, other=0.0)
    mean = tl.load(mean_ptr + dst.to(tl.int64)[:, None] * HEADS + head[None, :], mask=mask, other=0.0)
    term = weight * grad
    if gate_ptr is not None:
        at = relation.to(tl.int64)[:, None] * HEADS + head[None, :]
        grad *= tl.load(gate_ptr + at, mask=mask, other=0.0).to(tl.float32)
    return weight * (grad - mean), term, dst


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_tables_kernel(
    relation_ptr: Pointer, edge_dst_ptr: Pointer, weight_ptr: Pointer, edge_grad_ptr: Pointer, mean_ptr: Pointer,
    gate_ptr: Pointer, num_edges: Scalar, edges_per_program: Scalar, relations: Scalar,
    grad_bias_ptr: Pointer, grad_gate_ptr: Pointer, grad_edge_bias_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[stretches, relations, heads]`, and the edge bias's gradient `[edges, heads]`.

    For the latter alone there is one relation, which all edges are taken to be of.
    """
    wanted, start, stop = stretch(num_edges, edges_per_program, relations)
    head = group_of_heads(HEADS_BLOCK)
    bias = tl.zeros([BLOCK_E, HEADS_BLOCK], tl.float32)
    gate = tl.zeros([BLOCK_E, HEADS_BLOCK], tl.float32)
    for begin in range(start, stop, BLOCK_E):
        edge = begin + tl.arange(0, BLOCK_E)
        hit = edge < stop
        relation = tl.load(relation_ptr + edge, mask=hit, other=0)
        if (grad_bias_ptr is not None) | (grad_gate_ptr is not None):
            hit &= relation == wanted
        if tl.max(hit.to(tl.int32)) > 0:
            change, term, _ = changes(
                edge, relation, hit, head, edge_dst_ptr, weight_ptr, edge_grad_ptr, mean_ptr, gate_ptr, HEADS
            )
            bias += change
            gate += term
            if grad_edge_bias_ptr is not None:
                mask = hit[:, None] & (head < HEADS)[None, :]
                tl.store(grad_edge_bias_ptr + edge.to(tl.int64)[:, None] * HEADS + head[None, :], change, mask=mask)
    own = tl.program_id(0).to(tl.int64) * HEADS + head
    if grad_bias_ptr is not None:
        tl.store(grad_bias_ptr + own, tl.sum(bias, 0), mask=head < HEADS)
    if grad_gate_ptr is not None:
        tl.store(grad_gate_ptr + own, tl.sum(gate, 0), mask=head < HEADS)


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_score_weight_kernel(
    query_ptr: Pointer, key_ptr: Pointer, src_ptr: Pointer, relation_ptr: Pointer, edge_dst_ptr: Pointer,
    weight_ptr: Pointer, edge_grad_ptr: Pointer, mean_ptr: Pointer, gate_ptr: Pointer,
    scale: Scalar, negative_slope: Scalar, num_edges: Scalar, edges_per_program: Scalar, relations: Scalar,
    grad_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, BLOCK_E: tl.constexpr, SCANNED: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[stretches, relations, heads, head_dim]`."""
    wanted, start, stop = stretch(num_edges, edges_per_program, relations)
    head = group_of_heads(HEADS_BLOCK)
    total = tl.zeros([HEADS_BLOCK, HEAD_PAD], tl.float32)
    for first in range(start, stop, SCANNED):
        scanned = first + tl.arange(0, SCANNED)
        found = tl.load(relation_ptr + scanned, mask=scanned < stop, other=-1) == wanted
        if tl.max(found.to(tl.int32)) > 0:
            for begin in range(first, tl.minimum(first + SCANNED, stop), BLOCK_E):
                edge = begin + tl.arange(0, BLOCK_E)
                relation = tl.load(relation_ptr + edge, mask=edge < stop, other=-1)
                hit = relation == wanted
                if tl.max(hit.to(tl.int32)) > 0:
                    change, _, dst = changes(
                        edge, relation, hit, head, edge_dst_ptr, weight_ptr, edge_grad_ptr, mean_ptr, gate_ptr, HEADS
                    )
                    src = tl.load(src_ptr + edge, mask=hit, other=0)
                    query = load_rows(
                        query_ptr, dst, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
                    )
                    key = load_rows(key_ptr, src, KEY_STRIDE, KEY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
                    terms = (scale * change)[:, :, None] * joined(query + key, negative_slope)
                    total += tl.sum(tl.where(hit[:, None, None], terms, 0.0), 0)
    column, exists = columns(HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    own = tl.program_id(0).to(tl.int64) * HEADS * HEAD_DIM + column
    tl.store(grad_ptr + own, tl.reshape(total, [HEADS_BLOCK * HEAD_PAD]), mask=exists)
