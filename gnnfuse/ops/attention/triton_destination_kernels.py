"""The backward kernels behind `graph_attention(impl="triton")` that walk the edges by destination.

See README.md for the derivation and triton_spans.py for launches and hubs.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_scores import dropped, gated, joined_slope, load_vectors, scores
from gnnfuse.ops.attention.triton_tiles import group_of_heads, load_ends, load_heads, load_rows, store_heads, store_rows
from gnnfuse.ops.cuda.triton_spans import COUNTS, Pointer, Scalar, Tile, edges_at, hubs, slot_of, spans


@triton.jit
def or_one(mass: Tile) -> Tile:
    """The divisor: the mass, or 1 if it is 0."""
    return tl.where(mass == 0, 1.0, mass)


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_destination_kernel(
    query_ptr: Pointer, key_ptr: Pointer, value_ptr: Pointer, grad_out_ptr: Pointer, offsets_ptr: Pointer,
    src_ptr: Pointer, relation_ptr: Pointer, score_weight_ptr: Pointer, edge_bias_ptr: Pointer,
    relation_bias_ptr: Pointer, gate_ptr: Pointer, edge_gate_ptr: Pointer, seed_ptr: Pointer, pieces_ptr: Pointer,
    rows: Scalar, halvings: Scalar, num_edges: Scalar, scale: Scalar, negative_slope: Scalar,
    threshold: Scalar, kept_scale: Scalar, highest_ptr: Pointer, total_ptr: Pointer,
    weight_ptr: Pointer, edge_grad_ptr: Pointer, edge_dst_ptr: Pointer, grad_query_ptr: Pointer, mean_ptr: Pointer,
    drift_ptr: Pointer, mass_ptr: Pointer, plain_ptr: Pointer,
    QUERY_STRIDE: tl.constexpr, QUERY_HEAD_STRIDE: tl.constexpr, KEY_STRIDE: tl.constexpr,
    KEY_HEAD_STRIDE: tl.constexpr, VALUE_STRIDE: tl.constexpr, VALUE_HEAD_STRIDE: tl.constexpr,
    GRAD_OUT_STRIDE: tl.constexpr, GRAD_OUT_HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, ROWS: tl.constexpr, BLOCK_E: tl.constexpr,
    PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Per row D `[rows, heads]` and dq; per edge its row; per edge and head the weight and its gradient before gates.

    Outputs with a pointer of None are skipped. With IN_PIECES, writes the sums of `attention_backward_merge_kernel` per
    slot.
    """
    head = group_of_heads(HEADS_BLOCK)
    place, row, start, stop, exists = spans(offsets_ptr, pieces_ptr, rows, halvings, num_edges, ROWS, PIECE, IN_PIECES)
    query = load_rows(
        query_ptr, row, QUERY_STRIDE, QUERY_HEAD_STRIDE, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
    )  # fmt: skip
    grad_out = load_rows(
        grad_out_ptr, row, GRAD_OUT_STRIDE, GRAD_OUT_HEAD_STRIDE, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD
    )
    highest = load_heads(highest_ptr, row, head, HEADS, HEADS_BLOCK)
    inverse = load_heads(total_ptr, row, head, HEADS, HEADS_BLOCK)
    center = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    drift = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    mass = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    drifting = tl.zeros([ROWS, HEADS_BLOCK, HEAD_PAD], tl.float32)
    plain = tl.zeros([ROWS, HEADS_BLOCK, HEAD_PAD], tl.float32)
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
        weight = tl.exp(score - highest[None, :, :]) * inverse[None, :, :]
        grad = tl.sum(grad_out[None, :, :, :] * value, 3)
        grad = dropped(grad, edge, head, seed_ptr, threshold, kept_scale, HEADS_BLOCK)
        if edge_grad_ptr is not None:
            at = edge.to(tl.int64)[:, :, None] * HEADS + head[None, None, :]
            mask = valid[:, :, None] & (head < HEADS)[None, None, :]
            tl.store(weight_ptr + at, weight, mask=mask)
            tl.store(edge_grad_ptr + at, grad, mask=mask)
            if edge_dst_ptr is not None:
                is_first = valid & (tl.program_id(1) == 0)
                tl.store(edge_dst_ptr + edge, tl.broadcast_to(row[None, :], edge.shape), mask=is_first)
        grad = gated(grad, edge, relation, head, gate_ptr, edge_gate_ptr, HEADS, HEADS_BLOCK)
        block_mass = tl.sum(weight, 0)
        block_mean = tl.sum(weight * grad, 0) / or_one(block_mass)
        center = tl.where(mass == 0, block_mean, center)  # the first mean with any mass
        from_center = weight * (grad - center[None, :, :])
        drift += tl.sum(from_center, 0)
        mass += block_mass
        if grad_query_ptr is not None:
            if score_weight_ptr is not None:
                slope = joined_slope(query[None, :, :, :] + key, negative_slope)
                key = slope * load_vectors(score_weight_ptr, relation, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            drifting += tl.sum(from_center[:, :, :, None] * key, 0)
            plain += tl.sum(weight[:, :, :, None] * key, 0)
    is_empty = mass == 0  # a tile may hold NaN of other rows times 0
    center, drift = tl.where(is_empty, 0.0, center), tl.where(is_empty, 0.0, drift)
    drifting = tl.where(is_empty[:, :, None], 0.0, drifting)
    plain = tl.where(is_empty[:, :, None], 0.0, plain)
    if IN_PIECES:
        store_heads(mean_ptr, place, center, exists, head, HEADS)
        store_heads(drift_ptr, place, drift, exists, head, HEADS)
        store_heads(mass_ptr, place, mass, exists, head, HEADS)
        if grad_query_ptr is not None:
            store_rows(grad_query_ptr, place, drifting, exists, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            store_rows(plain_ptr, place, plain, exists, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    else:
        offset = drift / or_one(mass)
        store_heads(mean_ptr, place, center + offset, exists, head, HEADS)
        if grad_query_ptr is not None:
            grad_query = scale * (drifting - offset[:, :, None] * plain)
            store_rows(grad_query_ptr, place, grad_query, exists, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)


@triton.jit(do_not_specialize=COUNTS)
def attention_backward_merge_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, slots: Scalar, center_ptr: Pointer, drift_ptr: Pointer,
    mass_ptr: Pointer, drifting_ptr: Pointer, plain_ptr: Pointer, scale: Scalar, mean_ptr: Pointer,
    grad_query_ptr: Pointer, HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, ROWS: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's D and dq, from its slots."""
    slot, row, start, count = hubs(offsets_ptr, pieces_ptr, slots, ROWS, PIECE)
    head = group_of_heads(HEADS_BLOCK)
    exists = count > 0
    own = tl.minimum(slot, slots - 1)
    reference = tl.where(exists[:, None], load_heads(center_ptr, own, head, HEADS, HEADS_BLOCK), 0.0)
    drift = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    mass = tl.zeros([ROWS, HEADS_BLOCK], tl.float32)
    longest = tl.max(count)
    for step in range(0, longest, BLOCK_E):
        part = step + tl.arange(0, BLOCK_E)[:, None]
        valid = part < count[None, :]
        at = tl.where(valid, slot_of(part, start[None, :], PIECE), own[None, :])
        part_mass = load_heads(mass_ptr, at, head, HEADS, HEADS_BLOCK)
        part_drift = load_heads(drift_ptr, at, head, HEADS, HEADS_BLOCK)
        part_drift += (load_heads(center_ptr, at, head, HEADS, HEADS_BLOCK) - reference[None, :, :]) * part_mass
        drift += tl.sum(tl.where(valid[:, :, None], part_drift, 0.0), 0)
        mass += tl.sum(tl.where(valid[:, :, None], part_mass, 0.0), 0)
    mean = reference + drift / or_one(mass)
    store_heads(mean_ptr, row, mean, exists, head, HEADS)
    if grad_query_ptr is not None:
        grad_query = tl.zeros([ROWS, HEADS_BLOCK, HEAD_PAD], tl.float32)
        stride: tl.constexpr = HEADS * HEAD_DIM
        for step in range(0, longest, BLOCK_E):
            part = step + tl.arange(0, BLOCK_E)[:, None]
            valid = part < count[None, :]
            at = tl.where(valid, slot_of(part, start[None, :], PIECE), own[None, :])
            offset = load_heads(center_ptr, at, head, HEADS, HEADS_BLOCK) - mean[None, :, :]
            drifting = load_ends(drifting_ptr, at, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            plain = load_ends(plain_ptr, at, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            change = drifting + offset[:, :, :, None] * plain
            grad_query += tl.sum(tl.where(valid[:, :, None, None], change, 0.0), 0)
        store_rows(grad_query_ptr, row, scale * grad_query, exists, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
