"""The backward kernels behind `graph_attention(impl="triton")` that walk the transpose, and those of the tables.

See README.md for the derivation and triton_tiles.py for launches and hubs.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

import triton
import triton.language as tl

from gnnfuse.ops.attention.triton_tiles import (
    Pointer,
    Scalar,
    Tile,
    group_of_heads,
    joined,
    joined_slope,
    load_row,
    load_rows,
    slot_of,
    slots,
    span,
    store_row,
)


@triton.jit
def attention_backward_source_kernel(
    query_ptr: Pointer, key_ptr: Pointer, grad_out_ptr: Pointer, offsets_ptr: Pointer, edge_ptr: Pointer,
    dst_ptr: Pointer, relation_ptr: Pointer, score_weight_ptr: Pointer, weight_ptr: Pointer, score_ptr: Pointer,
    pieces_ptr: Pointer, query_stride: Scalar, query_head_stride: Scalar, key_stride: Scalar,
    key_head_stride: Scalar, grad_out_stride: Scalar, grad_out_head_stride: Scalar,
    scale: Scalar, negative_slope: Scalar, grad_key_ptr: Pointer, grad_value_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, VALUE_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr,
    HEAD_PAD: tl.constexpr, VALUE_PAD: tl.constexpr, BLOCK_E: tl.constexpr, PIECE: tl.constexpr,
    IN_PIECES: tl.constexpr,
) -> None:  # fmt: skip
    """Gradients of key `[rows, heads, head_dim]` and value `[rows, heads, value_dim]`, or per slot; None: unneeded."""
    row, start, stop = span(offsets_ptr, pieces_ptr, PIECE, IN_PIECES)
    if row < 0:
        return
    head = group_of_heads(HEADS_BLOCK)
    if score_weight_ptr is not None:
        key = load_row(key_ptr, row, key_stride, key_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    grad_key = tl.zeros([HEADS_BLOCK, HEAD_PAD], tl.float32)
    grad_value = tl.zeros([HEADS_BLOCK, VALUE_PAD], tl.float32)
    for begin in range(start, stop, BLOCK_E):
        at = begin + tl.arange(0, BLOCK_E)
        valid = at < stop
        edge = tl.load(edge_ptr + at, mask=valid, other=0).to(tl.int64)
        dst = tl.load(dst_ptr + at, mask=valid, other=0)
        place = edge[:, None] * HEADS + head[None, :]
        mask = valid[:, None] & (head < HEADS)[None, :]
        if grad_key_ptr is not None:
            change = tl.load(score_ptr + place, mask=mask, other=0.0)
            query = load_rows(
                query_ptr, dst, valid, query_stride, query_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
            )
            if score_weight_ptr is not None:
                relation = tl.load(relation_ptr + edge, mask=valid, other=0).to(tl.int64)
                stride: tl.constexpr = HEADS * HEAD_DIM
                vector = load_rows(
                    score_weight_ptr, relation, valid, stride, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
                )  # fmt: skip
                query = vector * joined_slope(query, key[None, :, :], negative_slope)
            grad_key += tl.sum(change[:, :, None] * query, 0)
        if grad_value_ptr is not None:
            message = tl.load(weight_ptr + place, mask=mask, other=0.0)
            grad_out = load_rows(
                grad_out_ptr, dst, valid, grad_out_stride, grad_out_head_stride,
                HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD,
            )  # fmt: skip
            grad_value += tl.sum(message[:, :, None] * grad_out, 0)
    place = row
    if IN_PIECES:
        place = tl.program_id(0).to(tl.int64)
    if grad_key_ptr is not None:
        store_row(grad_key_ptr, place, scale * grad_key, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
    if grad_value_ptr is not None:
        store_row(grad_value_ptr, place, grad_value, HEADS, HEADS_BLOCK, VALUE_DIM, VALUE_PAD)


@triton.jit
def attention_backward_add_kernel(
    offsets_ptr: Pointer, pieces_ptr: Pointer, part_ptr: Pointer, out_ptr: Pointer,
    HEADS: tl.constexpr, DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, PAD: tl.constexpr, BLOCK_E: tl.constexpr,
    PIECE: tl.constexpr,
) -> None:  # fmt: skip
    """A hub's row `[heads, dim]` as the sum of its slots."""
    row, start, count = slots(offsets_ptr, pieces_ptr, PIECE)
    if row < 0:
        return
    total = tl.zeros([HEADS_BLOCK, PAD], tl.float32)
    for begin in range(0, count, BLOCK_E):
        part = begin + tl.arange(0, BLOCK_E)
        slot = slot_of(part, start, PIECE)
        total += tl.sum(load_rows(part_ptr, slot, part < count, HEADS * DIM, DIM, HEADS, HEADS_BLOCK, DIM, PAD), 0)
    store_row(out_ptr, row, total, HEADS, HEADS_BLOCK, DIM, PAD)


@triton.jit
def first_of(relation: Tile) -> Scalar:
    """The lowest relation not yet done; those that are done stand at the largest int32."""
    return tl.min(relation, 0)


@triton.jit
def attention_backward_tables_kernel(
    relation_ptr: Pointer, score_ptr: Pointer, gate_term_ptr: Pointer, num_edges: Scalar, edges_per_program: Scalar,
    relations: Scalar, grad_bias_ptr: Pointer, grad_gate_ptr: Pointer,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[programs, relations, heads]` over each program's own stretch of edges; starts from zeros."""
    program = tl.program_id(0).to(tl.int64)
    head = group_of_heads(HEADS_BLOCK)
    start = program * edges_per_program
    stop = tl.minimum(start + edges_per_program, num_edges)
    for begin in range(start, stop, BLOCK_E):
        edge = begin + tl.arange(0, BLOCK_E)
        valid = edge < stop
        place = edge[:, None] * HEADS + head[None, :]
        relation = tl.load(relation_ptr + edge, mask=valid, other=2147483647)
        now = first_of(relation)
        while now < 2147483647:
            hit = (relation == now)[:, None] & (head < HEADS)[None, :]
            own = (program * relations + now) * HEADS + head
            if grad_bias_ptr is not None:
                term = tl.sum(tl.load(score_ptr + place, mask=hit, other=0.0), 0)
                before = tl.load(grad_bias_ptr + own, mask=head < HEADS, other=0.0)
                tl.store(grad_bias_ptr + own, before + term, mask=head < HEADS)
            if grad_gate_ptr is not None:
                term = tl.sum(tl.load(gate_term_ptr + place, mask=hit, other=0.0), 0)
                before = tl.load(grad_gate_ptr + own, mask=head < HEADS, other=0.0)
                tl.store(grad_gate_ptr + own, before + term, mask=head < HEADS)
            tl.debug_barrier()  # the next relation may be this one again, one block later
            relation = tl.where(relation == now, 2147483647, relation)
            now = first_of(relation)


@triton.jit
def attention_backward_score_weight_kernel(
    query_ptr: Pointer, key_ptr: Pointer, edge_ptr: Pointer, dst_ptr: Pointer, src_ptr: Pointer,
    relation_ptr: Pointer, score_ptr: Pointer, query_stride: Scalar, query_head_stride: Scalar,
    key_stride: Scalar, key_head_stride: Scalar, scale: Scalar, negative_slope: Scalar, num_edges: Scalar,
    edges_per_program: Scalar, relations: Scalar, grad_ptr: Pointer,
    HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_PAD: tl.constexpr,
    BLOCK_E: tl.constexpr,
) -> None:  # fmt: skip
    """Sums per relation `[programs, relations, heads, head_dim]`, along the transpose: it has every edge's end."""
    program = tl.program_id(0).to(tl.int64)
    head = group_of_heads(HEADS_BLOCK)
    start = program * edges_per_program
    stop = tl.minimum(start + edges_per_program, num_edges)
    for begin in range(start, stop, BLOCK_E):
        at = begin + tl.arange(0, BLOCK_E)
        valid = at < stop
        edge = tl.load(edge_ptr + at, mask=valid, other=0).to(tl.int64)
        dst = tl.load(dst_ptr + at, mask=valid, other=0)
        src = tl.load(src_ptr + edge, mask=valid, other=0)
        relation = tl.load(relation_ptr + edge, mask=valid, other=2147483647)
        query = load_rows(
            query_ptr, dst, valid, query_stride, query_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
        )
        key = load_rows(key_ptr, src, valid, key_stride, key_head_stride, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
        mask = valid[:, None] & (head < HEADS)[None, :]
        change = tl.load(score_ptr + edge[:, None] * HEADS + head[None, :], mask=mask, other=0.0)
        terms = (scale * change)[:, :, None] * joined(query, key, negative_slope)
        now = first_of(relation)
        while now < 2147483647:
            term = tl.sum(tl.where((relation == now)[:, None, None], terms, 0.0), 0)
            own = program * relations + now
            before = load_row(grad_ptr, own, HEADS * HEAD_DIM, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            store_row(grad_ptr, own, before + term, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD)
            tl.debug_barrier()  # the next relation may be this one again, one block later
            relation = tl.where(relation == now, 2147483647, relation)
            now = first_of(relation)
