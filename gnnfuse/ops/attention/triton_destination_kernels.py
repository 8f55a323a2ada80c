"""The backward kernels behind `graph_attention(impl="triton")` that walk the edges by destination.

See README.md for the derivation and triton_tiles.py for launches and hubs.
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
    joined_slope,
    load_row,
    load_rows,
    scores,
    slot_of,
    slots,
    span,
    store_row,
)


@triton.jit
def attention_backward_destination_kernel(
    query_ptr: Pointer, key_ptr: Pointer, value_ptr: Pointer, grad_out_ptr: Pointer, offsets_ptr: Pointer,
    src_ptr: Pointer, relation_ptr: Pointer, score_weight_ptr: Pointer, edge_bias_ptr: Pointer,
    relation_bias_ptr: Pointer, gate_ptr: Pointer, seed_ptr: Pointer, pieces_ptr: Pointer,
    highest_ptr: Pointer, total_ptr: Pointer,
    query_stride: Scalar, query_head_stride: Scalar, key_stride: Scalar, key_head_stride: Scalar,
    value_stride: Scalar, value_head_stride: Scalar, grad_out_stride: Scalar, grad_out_head_stride: Scalar,
    scale: Scalar, negative_slope: Scalar, threshold: Scalar, kept_scale: Scalar,
    weight_ptr: Pointer, score_ptr: Pointer, gate_term_ptr: Pointer, grad_query_ptr: Pointer,
    center_ptr: Pointer, drift_ptr: Pointer, mass_ptr: Pointer, plain_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
    IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Per edge and head the message's weight, the score's gradient and w_e times that of the gated weight; dq per row.

    A pointer of None: not needed. With IN_PIECES w_e and its gradient are left in `weight_ptr` and `score_ptr` for
    `attention_backward_finish_kernel`, and the sums of `attention_backward_merge_kernel` are written per slot.
    """
    row, start, stop = span(offsets_ptr, pieces_ptr, PIECE, IN_PIECES)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    query = load_row(query_ptr, row, query_stride, query_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    grad_out = load_row(
        grad_out_ptr, row, grad_out_stride, grad_out_head_stride, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD
    )
    highest = tl.load(highest_ptr + row * HEADS + head, mask=head < HEADS, other=0.0)
    total = tl.load(total_ptr + row * HEADS + head, mask=head < HEADS, other=1.0)
    total = tl.where(total == 0, 1.0, total)
    center = tl.zeros([HEADS_BLOCK], tl.float32)
    drift = tl.zeros([HEADS_BLOCK], tl.float32)
    mass = tl.zeros([HEADS_BLOCK], tl.float32)
    drifting = tl.zeros([HEADS_BLOCK, HEAD_PAD], tl.float32)
    plain = tl.zeros([HEADS_BLOCK, HEAD_PAD], tl.float32)
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
        weight = tl.exp(score - highest[None, :]) / total[None, :]
        grad = tl.sum(grad_out[None, :, :] * value, 2)
        grad = dropped(grad, edge, head, seed_ptr, threshold, kept_scale, BLOCK_E, HEADS_BLOCK)
        place = edge[:, None] * HEADS + head[None, :]
        mask = valid[:, None] & (head < HEADS)[None, :]
        if gate_term_ptr is not None:
            tl.store(gate_term_ptr + place, weight * grad, mask=mask)
        grad = gated(grad, relation, valid, head, gate_ptr, HEADS)
        if score_ptr is not None:
            tl.store(score_ptr + place, grad, mask=mask)
            tl.store(weight_ptr + place, weight, mask=mask)
        elif weight_ptr is not None:
            message = dropped(weight, edge, head, seed_ptr, threshold, kept_scale, BLOCK_E, HEADS_BLOCK)
            tl.store(weight_ptr + place, gated(message, relation, valid, head, gate_ptr, HEADS), mask=mask)
        block_mass = tl.sum(weight, 0)
        block_mean = tl.sum(weight * grad, 0) / tl.where(block_mass == 0, 1.0, block_mass)
        center = tl.where(mass == 0, block_mean, center)  # the first mean that there is
        from_center = weight * (grad - center[None, :])
        drift += tl.sum(from_center, 0)
        mass += block_mass
        if grad_query_ptr is not None:
            if score_weight_ptr is not None:
                slope = joined_slope(query[None, :, :], key, negative_slope)
                stride: tl.constexpr = HEADS * HEAD_DIM
                key = slope * load_rows(
                    score_weight_ptr, relation, valid, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
                )  # fmt: skip
            drifting += tl.sum(from_center[:, :, None] * key, 0)
            plain += tl.sum(weight[:, :, None] * key, 0)
    if IN_PIECES:
        slot = tl.program_id(0).to(tl.int64)
        tl.store(center_ptr + slot * HEADS + head, center, mask=head < HEADS)
        tl.store(drift_ptr + slot * HEADS + head, drift, mask=head < HEADS)
        tl.store(mass_ptr + slot * HEADS + head, mass, mask=head < HEADS)
        if grad_query_ptr is not None:
            store_row(grad_query_ptr, slot, drifting, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            store_row(plain_ptr, slot, plain, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    else:
        offset = drift / tl.where(mass == 0, 1.0, mass)
        if grad_query_ptr is not None:
            grad_query = scale * (drifting - offset[:, None] * plain)
            store_row(grad_query_ptr, row, grad_query, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        if score_ptr is not None:
            tl.debug_barrier()  # what this program wrote is read again
            finish(
                start, stop, head, center + offset, relation_ptr, gate_ptr, seed_ptr, threshold, kept_scale,
                weight_ptr, score_ptr, HEADS, HEADS_BLOCK, BLOCK_E,
            )  # fmt: skip


@triton.jit
def finish(
    start: Scalar, stop: Scalar, head: Tile, mean: Tile, relation_ptr: Pointer, gate_ptr: Pointer, seed_ptr: Pointer,
    threshold: Scalar, kept_scale: Scalar, weight_ptr: Pointer, score_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """In place, from the weights and their gradients to the messages' weights and the scores' gradients."""
    for begin in range(start, stop, BLOCK_E):
        edge = begin + tl.arange(0, BLOCK_E)
        valid = edge < stop
        relation = tl.load(relation_ptr + edge, mask=valid, other=0).to(tl.int64)
        place = edge[:, None] * HEADS + head[None, :]
        mask = valid[:, None] & (head < HEADS)[None, :]
        weight = tl.load(weight_ptr + place, mask=mask, other=0.0)
        grad = tl.load(score_ptr + place, mask=mask, other=0.0)
        message = dropped(weight, edge, head, seed_ptr, threshold, kept_scale, BLOCK_E, HEADS_BLOCK)
        tl.store(score_ptr + place, weight * (grad - mean[None, :]), mask=mask)
        tl.store(weight_ptr + place, gated(message, relation, valid, head, gate_ptr, HEADS), mask=mask)


@triton.jit
def attention_backward_merge_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, center_ptr: Pointer, drift_ptr: Pointer, mass_ptr: Pointer,
    drifting_ptr: Pointer, plain_ptr: Pointer, scale: Scalar, mean_ptr: Pointer, grad_query_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_PAD: tl.constexpr,
    BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's mean gradient of its weights, at its first slot of `[slots, heads]`, and dq, from its slots."""
    row, start, count = slots(offsets_ptr, pieces_ptr, PIECE)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    first = tl.program_id(0).to(tl.int64)
    reference = tl.load(center_ptr + first * HEADS + head, mask=head < HEADS, other=0.0)
    drift = tl.zeros([HEADS_BLOCK], tl.float32)
    mass = tl.zeros([HEADS_BLOCK], tl.float32)
    for begin in range(0, count, BLOCK_E):
        part = begin + tl.arange(0, BLOCK_E)
        place = slot_of(part, start, PIECE)[:, None] * HEADS + head[None, :]
        mask = (part < count)[:, None] & (head < HEADS)[None, :]
        part_mass = tl.load(mass_ptr + place, mask=mask, other=0.0)
        part_center = tl.load(center_ptr + place, mask=mask, other=0.0) - reference[None, :]
        drift += tl.sum(tl.load(drift_ptr + place, mask=mask, other=0.0) + part_center * part_mass, 0)
        mass += tl.sum(part_mass, 0)
    mean = reference + drift / tl.where(mass == 0, 1.0, mass)
    tl.store(mean_ptr + first * HEADS + head, mean, mask=head < HEADS)
    if grad_query_ptr is not None:
        grad_query = tl.zeros([HEADS_BLOCK, HEAD_PAD], tl.float32)
        stride: tl.constexpr = HEADS * HEAD_DIM
        for begin in range(0, count, BLOCK_E):
            part = begin + tl.arange(0, BLOCK_E)
            valid = part < count
            slot = slot_of(part, start, PIECE)
            mask = valid[:, None] & (head < HEADS)[None, :]
            center = tl.load(center_ptr + slot[:, None] * HEADS + head[None, :], mask=mask, other=0.0)
            drifting = load_rows(drifting_ptr, slot, valid, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            plain = load_rows(plain_ptr, slot, valid, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            grad_query += tl.sum(drifting + (center - mean[None, :])[:, :, None] * plain, 0)
        store_row(grad_query_ptr, row, scale * grad_query, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)


@triton.jit
def attention_backward_finish_kernel(
    offsets_ptr: Pointer, relation_ptr: Pointer, gate_ptr: Pointer, seed_ptr: Pointer, pieces_ptr: Pointer,
    mean_ptr: Pointer, threshold: Scalar, kept_scale: Scalar, weight_ptr: Pointer, score_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """What `attention_backward_destination_kernel` does last, for the edges of hubs, whose mean is known only now."""
    row, start, stop = span(offsets_ptr, pieces_ptr, PIECE, True)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    first = slot_of(0, tl.load(offsets_ptr + row), PIECE)
    mean = tl.load(mean_ptr + first * HEADS + head, mask=head < HEADS, other=0.0)
    finish(
        start, stop, head, mean, relation_ptr, gate_ptr, seed_ptr, threshold, kept_scale,
        weight_ptr, score_ptr, HEADS, HEADS_BLOCK, BLOCK_E,
    )  # fmt: skip
