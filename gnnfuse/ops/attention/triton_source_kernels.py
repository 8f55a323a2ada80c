"""The backward kernels behind `graph_attention(impl="triton")` that walk the edges by source.

See README.md for the derivation and triton_spans.py for launches and hubs.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_scores import dropped, gated, joined_slope, load_vectors
from gnnfuse.ops.attention.triton_tiles import group_of_heads, load_ends, load_heads, load_rows, store_rows
from gnnfuse.ops.cuda.triton_spans import COUNTS, Pointer, Scalar, edges_at, hubs, slot_of, spans


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_source_kernel(
    query_ptr: Pointer, key_ptr: Pointer, grad_out_ptr: Pointer, offsets_ptr: Pointer, edge_ptr: Pointer,
    dst_ptr: Pointer, relation_ptr: Pointer, score_weight_ptr: Pointer, gate_ptr: Pointer, edge_gate_ptr: Pointer,
    seed_ptr: Pointer, pieces_ptr: Pointer, rows: Scalar, halvings: Scalar, num_edges: Scalar, scale: Scalar,
    negative_slope: Scalar, threshold: Scalar, kept_scale: Scalar, weight_ptr: Pointer, edge_grad_ptr: Pointer,
    mean_ptr: Pointer, grad_key_ptr: Pointer, grad_value_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, GRAD_OUT_STRIDE: tl.constexpr, GRAD_OUT_HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, ROWS: tl.constexpr, BLOCK_E: tl.constexpr,
    PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Gradients of key `[rows, heads, head_dim]` and value `[rows, heads, value_dim]`, or per slot; None is skipped."""
    place, row, start, stop, exists = spans(
        offsets_ptr, pieces_ptr, rows, halvings, num_edges, ROWS, PIECE, IN_PIECES
    )  # fmt: skip
    head = group_of_heads(HEADS_BLOCK)
    if score_weight_ptr is not None:
        key = load_rows(key_ptr, row, KEY_STRIDE, KEY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    grad_key = tl.zeros([ROWS, HEADS_BLOCK, HEAD_PAD], tl.float32)
    grad_value = tl.zeros([ROWS, HEADS_BLOCK, VALUE_PAD], tl.float32)
    for step in range(0, tl.max(stop - start), BLOCK_E):
        at, valid = edges_at(start, stop, step, BLOCK_E)
        edge = tl.load(edge_ptr + at)
        dst = tl.load(dst_ptr + at)
        relation = tl.load(relation_ptr + edge)
        weight = tl.where(valid[:, :, None], load_heads(weight_ptr, edge, head, HEADS, HEADS_BLOCK), 0.0)
        if grad_key_ptr is not None:
            query = load_ends(
                query_ptr, dst, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
            )  # fmt: skip
            grad = load_heads(edge_grad_ptr, edge, head, HEADS, HEADS_BLOCK)
            grad = gated(grad, edge, relation, head, gate_ptr, edge_gate_ptr, HEADS, HEADS_BLOCK)
            change = weight * (grad - load_heads(mean_ptr, dst, head, HEADS, HEADS_BLOCK))
            if score_weight_ptr is not None:
                slope = joined_slope(query + key[None, :, :, :], negative_slope)
                query = slope * load_vectors(score_weight_ptr, relation, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            grad_key += tl.sum(change[:, :, :, None] * query, 0)
        if grad_value_ptr is not None:
            grad_out = load_ends(
                grad_out_ptr, dst, GRAD_OUT_STRIDE, GRAD_OUT_HEAD_STRIDE, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD
            )
            message = dropped(weight, edge, head, seed_ptr, threshold, kept_scale, HEADS_BLOCK)
            message = gated(message, edge, relation, head, gate_ptr, edge_gate_ptr, HEADS, HEADS_BLOCK)
            grad_value += tl.sum(message[:, :, :, None] * grad_out, 0)
    has_edges = (stop > start)[:, None, None]  # else a tile may hold NaN of other rows times 0
    if grad_key_ptr is not None:
        grad_key = tl.where(has_edges, scale * grad_key, 0.0)
        store_rows(grad_key_ptr, place, grad_key, exists, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    if grad_value_ptr is not None:
        grad_value = tl.where(has_edges, grad_value, 0.0)
        store_rows(grad_value_ptr, place, grad_value, exists, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_add_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, slots: Scalar, part_ptr: Pointer, out_ptr: Pointer,
    HEADS: tl.constexpr, DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, PAD: tl.constexpr, ROWS: tl.constexpr,
    BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's row `[heads, dim]` as the sum of its slots."""
    slot, row, start, count = hubs(offsets_ptr, pieces_ptr, slots, ROWS, PIECE)
    own = tl.minimum(slot, slots - 1)
    total = tl.zeros([ROWS, HEADS_BLOCK, PAD], tl.float32)
    for step in range(0, tl.max(count), BLOCK_E):
        part = step + tl.arange(0, BLOCK_E)[:, None]
        valid = part < count[None, :]
        at = tl.where(valid, slot_of(part, start[None, :], PIECE), own[None, :])
        rows = load_ends(part_ptr, at, HEADS * DIM, DIM, HEADS, HEADS_BLOCK, DIM, PAD)
        total += tl.sum(tl.where(valid[:, :, None, None], rows, 0.0), 0)
    store_rows(out_ptr, row, total, count > 0, HEADS, HEADS_BLOCK, DIM, PAD)
