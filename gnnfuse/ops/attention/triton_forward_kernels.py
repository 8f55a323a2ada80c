"""The forward kernels behind `graph_attention(impl="triton")`. The derivation is in README.md.

Queries, keys and values come with the strides of their rows and heads; all else is contiguous. Launched over
(rows or slots, groups of heads): see triton_spans.py.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_scores import dropped, gated, scores
from gnnfuse.ops.attention.triton_tiles import group_of_heads, load_ends, load_heads, load_rows, store_heads, store_rows
from gnnfuse.ops.cuda.triton_spans import COUNTS, Pointer, Scalar, Tile, edges_at, hubs, slot_of, spans


@triton.jit
def or_zero(highest: Tile) -> Tile:
    """The highest score, or 0 where every edge is silenced: weights of 0, not NaN."""
    return tl.where(highest == float("-inf"), 0.0, highest)


@triton.jit
def inverse_of(total: Tile) -> Tile:
    """1 / the sum of exponentials; 0 if the sum is 0."""
    return tl.where(total == 0, 0.0, 1.0 / tl.where(total == 0, 1.0, total))


@triton.jit(do_not_specialize=COUNTS)
def attention_forward_kernel(
    query_ptr: Pointer, key_ptr: Pointer, value_ptr: Pointer, offsets_ptr: Pointer, src_ptr: Pointer,
    relation_ptr: Pointer, score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer,
    gate_ptr: Pointer, edge_gate_ptr: Pointer, seed_ptr: Pointer, pieces_ptr: Pointer, rows: Scalar, halvings: Scalar,
    num_edges: Scalar, scale: Scalar, negative_slope: Scalar, threshold: Scalar, kept_scale: Scalar,
    out_ptr: Pointer, highest_ptr: Pointer, total_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, VALUE_STRIDE: tl.constexpr, VALUE_HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, ROWS: tl.constexpr, BLOCK_E: tl.constexpr,
    PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Out `[rows, heads, value_dim]`; per row and head the highest score and 1 / the sum of exponentials.

    With IN_PIECES, all per slot for `attention_forward_merge_kernel`: the sum itself, and out not yet divided by it.
    """
    head = group_of_heads(HEADS_BLOCK)
    place, row, start, stop, exists = spans(offsets_ptr, pieces_ptr, rows, halvings, num_edges, ROWS, PIECE, IN_PIECES)
    query = load_rows(
        query_ptr, row, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
    )  # fmt: skip
    highest = tl.full([ROWS, HEADS_BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    out = tl.zeros([ROWS, HEADS_BLOCK, VALUE_PAD], tl.float32)
    for step in range(0, tl.max(stop - start), BLOCK_E):
        edge, valid = edges_at(start, stop, step, BLOCK_E)
        src = tl.load(src_ptr + edge)
        relation = tl.load(relation_ptr + edge)
        key = load_ends(key_ptr, src, KEY_STRIDE, KEY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        value = load_ends(value_ptr, src, VALUE_STRIDE, VALUE_HEAD_STRIDE, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)
        score = scores(
            query, key, edge, relation, valid, head, score_weight_ptr, edge_bias_ptr, relation_bias_ptr, scale,
            negative_slope, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD,
        )  # fmt: skip
        higher = tl.maximum(highest, tl.max(score, 0))
        shrink = tl.exp(highest - or_zero(higher))
        weight = tl.exp(score - or_zero(higher)[None, :, :])
        highest = higher
        total = total * shrink + tl.sum(weight, 0)
        message = gated(weight, edge, relation, head, gate_ptr, edge_gate_ptr, HEADS, HEADS_BLOCK)
        message = dropped(message, edge, head, seed_ptr, threshold, kept_scale, HEADS_BLOCK)
        out = out * shrink[:, :, None] + tl.sum(message[:, :, :, None] * value, 0)
    out = tl.where((total == 0)[:, :, None], 0.0, out)  # a tile may hold NaN of other rows times 0
    if not IN_PIECES:
        highest = or_zero(highest)
        total = inverse_of(total)
        out *= total[:, :, None]
    store_heads(highest_ptr, place, highest, exists, head, HEADS)
    store_heads(total_ptr, place, total, exists, head, HEADS)
    store_rows(out_ptr, place, out, exists, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit(do_not_specialize=COUNTS)
def attention_forward_merge_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, slots: Scalar,
    part_ptr: Pointer, part_highest_ptr: Pointer, part_total_ptr: Pointer,
    out_ptr: Pointer, highest_ptr: Pointer, total_ptr: Pointer,
    HEADS: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, VALUE_PAD: tl.constexpr,
    ROWS: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's row from its slots, as `attention_forward_kernel` makes a row from its edges."""
    slot, row, start, count = hubs(offsets_ptr, pieces_ptr, slots, ROWS, PIECE)
    head = group_of_heads(HEADS_BLOCK)
    highest = tl.full([ROWS, HEADS_BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    out = tl.zeros([ROWS, HEADS_BLOCK, VALUE_PAD], tl.float32)
    for step in range(0, tl.max(count), BLOCK_E):
        part = step + tl.arange(0, BLOCK_E)[:, None]
        valid = part < count[None, :]
        at = tl.where(valid, slot_of(part, start[None, :], PIECE), tl.minimum(slot, slots - 1)[None, :])
        part_highest = load_heads(part_highest_ptr, at, head, HEADS, HEADS_BLOCK)
        part_highest = tl.where(valid[:, :, None], part_highest, float("-inf"))
        part_total = load_heads(part_total_ptr, at, head, HEADS, HEADS_BLOCK)
        part_out = load_ends(part_ptr, at, HEADS * VALUE_DIM, VALUE_DIM, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)
        higher = tl.maximum(highest, tl.max(part_highest, 0))
        shrink = tl.exp(highest - or_zero(higher))
        share = tl.exp(part_highest - or_zero(higher)[None, :, :])
        highest = higher
        total = total * shrink + tl.sum(share * part_total, 0)
        out = out * shrink[:, :, None] + tl.sum(share[:, :, :, None] * part_out, 0)
    exists = count > 0
    store_heads(highest_ptr, row, or_zero(highest), exists, head, HEADS)
    store_heads(total_ptr, row, inverse_of(total), exists, head, HEADS)
    store_rows(out_ptr, row, out * inverse_of(total)[:, :, None], exists, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit(do_not_specialize=COUNTS)
def attention_weights_kernel(
    query_ptr: Pointer, key_ptr: Pointer, offsets_ptr: Pointer, src_ptr: Pointer, relation_ptr: Pointer,
    score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer, pieces_ptr: Pointer,
    rows: Scalar, halvings: Scalar, num_edges: Scalar, scale: Scalar, negative_slope: Scalar,
    highest_ptr: Pointer, total_ptr: Pointer, weights_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, ROWS: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """The softmax weights `[edges, heads]`, from recomputed scores."""
    head = group_of_heads(HEADS_BLOCK)
    _, row, start, stop, _ = spans(offsets_ptr, pieces_ptr, rows, halvings, num_edges, ROWS, PIECE, IN_PIECES)
    query = load_rows(
        query_ptr, row, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
    )  # fmt: skip
    highest = load_heads(highest_ptr, row, head, HEADS, HEADS_BLOCK)
    inverse = load_heads(total_ptr, row, head, HEADS, HEADS_BLOCK)
    for step in range(0, tl.max(stop - start), BLOCK_E):
        edge, valid = edges_at(start, stop, step, BLOCK_E)
        src = tl.load(src_ptr + edge)
        relation = tl.load(relation_ptr + edge)
        key = load_ends(key_ptr, src, KEY_STRIDE, KEY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        score = scores(
            query, key, edge, relation, valid, head, score_weight_ptr, edge_bias_ptr, relation_bias_ptr, scale,
            negative_slope, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD,
        )  # fmt: skip
        weight = tl.exp(score - highest[None, :, :]) * inverse[None, :, :]
        mask = valid[:, :, None] & (head < HEADS)[None, None, :]
        tl.store(weights_ptr + edge.to(tl.int64)[:, :, None] * HEADS + head[None, None, :], weight, mask=mask)
