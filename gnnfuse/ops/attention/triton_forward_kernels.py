"""The forward kernels behind `graph_attention(impl="triton")`. The derivation is in README.md.

Queries, keys and values arrive with the strides of their rows and heads; all else is contiguous. Launched over
(rows, groups of heads), or over (slots, groups of heads) for the pieces of hubs: see triton_tiles.py.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_tiles import (
    Pointer,
    Scalar,
    Tile,
    dropped,
    gated,
    group_of_heads,
    load_row,
    load_rows,
    scores,
    slot_of,
    slots,
    span,
    store_row,
)


@triton.jit
def or_zero(highest: Tile) -> Tile:
    """The highest score, or 0 where every edge is silenced: weights of 0, not NaN."""
    return tl.where(highest == float("-inf"), 0.0, highest)


@triton.jit
def attention_forward_kernel(
    query_ptr: Pointer, key_ptr: Pointer, value_ptr: Pointer, offsets_ptr: Pointer, src_ptr: Pointer,
    relation_ptr: Pointer, score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer,
    gate_ptr: Pointer, seed_ptr: Pointer, pieces_ptr: Pointer,
    query_stride: Scalar, query_head_stride: Scalar, key_stride: Scalar, key_head_stride: Scalar,
    value_stride: Scalar, value_head_stride: Scalar,
    scale: Scalar, negative_slope: Scalar, threshold: Scalar, kept_scale: Scalar,
    out_ptr: Pointer, highest_ptr: Pointer, total_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
    IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Out `[rows, heads, value_dim]`, highest score and sum of exponentials `[rows, heads]`.

    With IN_PIECES the same per slot, for `attention_forward_merge_kernel`, and out not yet divided by the sum.
    """
    row, start, stop = span(offsets_ptr, pieces_ptr, PIECE, IN_PIECES)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    query = load_row(query_ptr, row, query_stride, query_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    highest = tl.full([HEADS_BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([HEADS_BLOCK], tl.float32)
    out = tl.zeros([HEADS_BLOCK, VALUE_PAD], tl.float32)
    for begin in range(start, stop, BLOCK_E):
        edge = begin + tl.arange(0, BLOCK_E)
        valid = edge < stop
        src = tl.load(src_ptr + edge, mask=valid, other=0)
        relation = tl.load(relation_ptr + edge, mask=valid, other=0).to(tl.int64)
        key = load_rows(key_ptr, src, valid, key_stride, key_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        value = load_rows(
            value_ptr, src, valid, value_stride, value_head_stride, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD
        )
        score = scores(
            query, key, edge, relation, valid, head, score_weight_ptr, edge_bias_ptr, relation_bias_ptr,
            scale, negative_slope, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD,
        )  # fmt: skip
        higher = tl.maximum(highest, tl.max(score, 0))
        shrink = tl.exp(highest - or_zero(higher))
        weight = tl.exp(score - or_zero(higher)[None, :])
        highest = higher
        total = total * shrink + tl.sum(weight, 0)
        message = dropped(weight, edge, head, seed_ptr, threshold, kept_scale, BLOCK_E, HEADS_BLOCK)
        message = gated(message, relation, valid, head, gate_ptr, HEADS)
        out = out * shrink[:, None] + tl.sum(message[:, :, None] * value, 0)
    place = row
    if IN_PIECES:
        place = tl.program_id(0).to(tl.int64)
    else:
        highest = or_zero(highest)
        out = out / tl.where(total == 0, 1.0, total)[:, None]
    tl.store(highest_ptr + place * HEADS + head, highest, mask=head < HEADS)
    tl.store(total_ptr + place * HEADS + head, total, mask=head < HEADS)
    store_row(out_ptr, place, out, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit
def attention_forward_merge_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, part_ptr: Pointer, part_highest_ptr: Pointer, part_total_ptr: Pointer,
    out_ptr: Pointer, highest_ptr: Pointer, total_ptr: Pointer,
    HEADS: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, VALUE_PAD: tl.constexpr,
    BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's row from its slots, as `attention_forward_kernel` makes a row from its edges."""
    row, start, count = slots(offsets_ptr, pieces_ptr, PIECE)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    highest = tl.full([HEADS_BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([HEADS_BLOCK], tl.float32)
    out = tl.zeros([HEADS_BLOCK, VALUE_PAD], tl.float32)
    for begin in range(0, count, BLOCK_E):
        part = begin + tl.arange(0, BLOCK_E)
        valid = part < count
        slot = slot_of(part, start, PIECE)
        mask = valid[:, None] & (head < HEADS)[None, :]
        place = slot[:, None] * HEADS + head[None, :]
        part_highest = tl.load(part_highest_ptr + place, mask=mask, other=float("-inf"))
        part_total = tl.load(part_total_ptr + place, mask=mask, other=0.0)
        part_out = load_rows(
            part_ptr, slot, valid, HEADS * VALUE_DIM, VALUE_DIM, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD
        )  # fmt: skip
        higher = tl.maximum(highest, tl.max(part_highest, 0))
        shrink = tl.exp(highest - or_zero(higher))
        share = tl.exp(part_highest - or_zero(higher)[None, :])
        highest = higher
        total = total * shrink + tl.sum(share * part_total, 0)
        out = out * shrink[:, None] + tl.sum(share[:, :, None] * part_out, 0)
    tl.store(highest_ptr + row * HEADS + head, or_zero(highest), mask=head < HEADS)
    tl.store(total_ptr + row * HEADS + head, total, mask=head < HEADS)
    store_row(out_ptr, row, out / tl.where(total == 0, 1.0, total)[:, None], HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit
def attention_weights_kernel(
    query_ptr: Pointer, key_ptr: Pointer, offsets_ptr: Pointer, src_ptr: Pointer, relation_ptr: Pointer,
    score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer, pieces_ptr: Pointer,
    query_stride: Scalar, query_head_stride: Scalar, key_stride: Scalar, key_head_stride: Scalar,
    scale: Scalar, negative_slope: Scalar, highest_ptr: Pointer, total_ptr: Pointer, weights_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_PAD: tl.constexpr,
    BLOCK_E: tl.constexpr, PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """The softmax weights `[edges, heads]`, from scores computed again."""
    row, start, stop = span(offsets_ptr, pieces_ptr, PIECE, IN_PIECES)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    query = load_row(query_ptr, row, query_stride, query_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    highest = tl.load(highest_ptr + row * HEADS + head, mask=head < HEADS, other=0.0)
    total = tl.load(total_ptr + row * HEADS + head, mask=head < HEADS, other=1.0)
    total = tl.where(total == 0, 1.0, total)
    for begin in range(start, stop, BLOCK_E):
        edge = begin + tl.arange(0, BLOCK_E)
        valid = edge < stop
        src = tl.load(src_ptr + edge, mask=valid, other=0)
        relation = tl.load(relation_ptr + edge, mask=valid, other=0).to(tl.int64)
        key = load_rows(key_ptr, src, valid, key_stride, key_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        score = scores(
            query, key, edge, relation, valid, head, score_weight_ptr, edge_bias_ptr, relation_bias_ptr,
            scale, negative_slope, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD,
        )  # fmt: skip
        weight = tl.exp(score - highest[None, :]) / total[None, :]
        place = edge[:, None] * HEADS + head[None, :]
        tl.store(weights_ptr + place, weight, mask=valid[:, None] & (head < HEADS)[None, :])
