"""What the kernels of `graph_attention(impl="triton")` share: spans of edges, tiles of rows, scores and dropout.

A program works on one row (`program_id(0)`) and one group of heads (`program_id(1)`). Its tiles are
`[BLOCK_E, HEADS_BLOCK, pad]` in float32: some edges, the group's heads, and the dim padded to a power of two. Rows of
more than PIECE edges are hubs. The list is cut into pieces of PIECE edges, piece p with the two slots 2p and 2p + 1:
at most two hubs touch it. A hub's first piece has slot 2p + 1 if it starts inside of it; its others are slots 2p.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any, TypeAlias

import triton
import triton.language as tl

# For the reader: the compiler looks up what annotations name, and knows its own types only.
Pointer: TypeAlias = tl.tensor
Scalar: TypeAlias = tl.tensor
Tile: TypeAlias = tl.tensor


@triton.jit
def span(offsets_ptr: Pointer, pieces_ptr: Pointer, PIECE: tl.constexpr, IN_PIECES: tl.constexpr) -> Any:
    """Row, first edge and end of what this program works on: a row, or with IN_PIECES a slot; row -1 for nothing.

    A program whose row is a hub writes it into `pieces_ptr` `[slots]` and leaves the edges to another launch.
    """
    row = tl.program_id(0).to(tl.int64)
    if IN_PIECES:
        first = (row // 2) * PIECE
        row = tl.load(pieces_ptr + row).to(tl.int64)
        start = tl.maximum(tl.load(offsets_ptr + row, mask=row >= 0, other=0), first)
        stop = tl.minimum(tl.load(offsets_ptr + row + 1, mask=row >= 0, other=0), first + PIECE)
    else:
        start = tl.load(offsets_ptr + row)
        stop = tl.load(offsets_ptr + row + 1)
        if pieces_ptr is not None:  # noqa: SIM102 - this line is for the compiler, the next for the device
            if stop - start > PIECE:
                if tl.program_id(1) == 0:
                    list_pieces(pieces_ptr, row, start, stop, PIECE)
                row = row * 0 - 1
    return row, start, stop


@triton.jit
def list_pieces(pieces_ptr: Pointer, row: Scalar, start: Scalar, stop: Scalar, PIECE: tl.constexpr) -> None:
    """Write a hub's row into its slots."""
    count = (stop - 1) // PIECE - start // PIECE + 1
    for begin in range(0, count, 128):
        part = begin + tl.arange(0, 128)
        slot = slot_of(part, start, PIECE)
        tl.store(pieces_ptr + slot, tl.zeros([128], tl.int32) + row.to(tl.int32), mask=part < count)


@triton.jit
def slot_of(part: Tile, start: Scalar, PIECE: tl.constexpr) -> Tile:
    """Slot of the part-th piece of a hub whose edges begin at `start`."""
    inside = (start % PIECE != 0).to(tl.int64)
    return 2 * (start // PIECE + part) + tl.where(part == 0, inside, 0)


@triton.jit
def slots(offsets_ptr: Pointer, pieces_ptr: Pointer, PIECE: tl.constexpr) -> Any:
    """The hub whose first slot is this program's, its first edge and number of slots; row -1 for another slot."""
    slot = tl.program_id(0).to(tl.int64)
    row = tl.load(pieces_ptr + slot).to(tl.int64)
    start = tl.load(offsets_ptr + row, mask=row >= 0, other=0)
    stop = tl.load(offsets_ptr + row + 1, mask=row >= 0, other=0)
    count = (stop - 1) // PIECE - start // PIECE + 1
    return tl.where(slot == slot_of(0, start, PIECE), row, -1), start, count


@triton.jit
def group_of_heads(HEADS_BLOCK: tl.constexpr) -> Tile:
    """The heads this program works on, `[HEADS_BLOCK]`."""
    return tl.program_id(1).to(tl.int64) * HEADS_BLOCK + tl.arange(0, HEADS_BLOCK)


@triton.jit
def columns(
    head_stride: Scalar, HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr
) -> Any:
    """Where the numbers of a row stand within it, and which of them exist, `[HEADS_BLOCK * PAD]`.

    Rows are loaded flat and split into heads afterwards: a warp then holds every row in the same lanes, so sums over
    edges stay within each lane, which three axes in the load do not bring about.
    """
    column = tl.arange(0, HEADS_BLOCK * PAD)
    head = tl.program_id(1).to(tl.int64) * HEADS_BLOCK + column // PAD
    d = column % PAD
    return head * head_stride + d, (head < HEADS) & (d < DIM)


@triton.jit
def load_rows(
    ptr: Pointer, row: Tile, valid: Tile, stride: Scalar, head_stride: Scalar,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """Rows `[BLOCK_E]` of an array `[rows, heads, dim]` as `[BLOCK_E, HEADS_BLOCK, PAD]`, zeros outside of it."""
    place, exists = columns(head_stride, HEADS, HEADS_BLOCK, DIM, PAD)
    place = row.to(tl.int64)[:, None] * stride + place[None, :]
    flat = tl.load(ptr + place, mask=valid[:, None] & exists[None, :], other=0.0)
    return tl.reshape(flat, [row.shape[0], HEADS_BLOCK, PAD]).to(tl.float32)


@triton.jit
def load_row(
    ptr: Pointer, row: Scalar, stride: Scalar, head_stride: Scalar,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """One row of an array `[rows, heads, dim]` as `[HEADS_BLOCK, PAD]`, zeros outside of it."""
    place, exists = columns(head_stride, HEADS, HEADS_BLOCK, DIM, PAD)
    flat = tl.load(ptr + row * stride + place, mask=exists, other=0.0)
    return tl.reshape(flat, [HEADS_BLOCK, PAD]).to(tl.float32)


@triton.jit
def store_row(
    ptr: Pointer, row: Scalar, tile: Tile,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> None:  # fmt: skip
    """Write `[HEADS_BLOCK, PAD]` as one row of a contiguous array `[rows, heads, dim]`, in the array's dtype."""
    place, exists = columns(DIM, HEADS, HEADS_BLOCK, DIM, PAD)
    tl.store(ptr + row * HEADS * DIM + place, tl.reshape(tile, [HEADS_BLOCK * PAD]), mask=exists)


@triton.jit
def joined(query: Tile, key: Tile, negative_slope: Scalar) -> Tile:
    """leaky_relu(q + k) `[BLOCK_E, HEADS_BLOCK, PAD]`; one of both may be a single row with a first axis of 1."""
    pair = query + key
    return tl.where(pair > 0, pair, pair * negative_slope)


@triton.jit
def joined_slope(query: Tile, key: Tile, negative_slope: Scalar) -> Tile:
    """Derivative of leaky_relu at q + k."""
    return tl.where(query + key > 0, 1.0, negative_slope)


@triton.jit
def scores(
    query: Tile, key: Tile, edge: Tile, relation: Tile, valid: Tile, head: Tile,
    score_weight_ptr: Pointer, edge_bias_ptr: Pointer, relation_bias_ptr: Pointer,
    scale: Scalar, negative_slope: Scalar,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, HEAD_DIM: tl.constexpr, HEAD_PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """Scores `[BLOCK_E, HEADS_BLOCK]` with their biases; -inf outside of the span or the heads."""
    if score_weight_ptr is None:
        score = tl.sum(query[None, :, :] * key, 2) * scale
    else:
        vector = load_rows(
            score_weight_ptr, relation, valid, HEADS * HEAD_DIM, HEAD_DIM, HEADS, HEADS_BLOCK, HEAD_DIM, HEAD_PAD
        )
        score = tl.sum(vector * joined(query[None, :, :], key, negative_slope), 2) * scale
    mask = valid[:, None] & (head < HEADS)[None, :]
    if edge_bias_ptr is not None:
        score += tl.load(edge_bias_ptr + edge[:, None] * HEADS + head[None, :], mask=mask, other=0.0).to(tl.float32)
    if relation_bias_ptr is not None:
        score += tl.load(relation_bias_ptr + relation[:, None] * HEADS + head[None, :], mask=mask, other=0.0).to(
            tl.float32
        )
    return tl.where(mask, score, float("-inf"))


@triton.jit
def gated(tile: Tile, relation: Tile, valid: Tile, head: Tile, gate_ptr: Pointer, HEADS: tl.constexpr) -> Tile:
    """`[BLOCK_E, HEADS_BLOCK]` times the gate of each edge's relation."""
    if gate_ptr is not None:
        mask = valid[:, None] & (head < HEADS)[None, :]
        tile *= tl.load(gate_ptr + relation[:, None] * HEADS + head[None, :], mask=mask, other=0.0).to(tl.float32)
    return tile


@triton.jit
def dropped(
    tile: Tile, edge: Tile, head: Tile, seed_ptr: Pointer, threshold: Scalar, kept_scale: Scalar,
    BLOCK_E: tl.constexpr, HEADS_BLOCK: tl.constexpr,
) -> Tile:  # fmt: skip
    """`[BLOCK_E, HEADS_BLOCK]` with the dropped weights at 0 and the others divided by 1 - dropout: see dropout.py."""
    if seed_ptr is not None:
        seed = tl.load(seed_ptr)
        if HEADS_BLOCK % 4 == 0:  # one draw gives the words of four heads
            group = tl.program_id(1).to(tl.int64) * (HEADS_BLOCK // 4) + tl.arange(0, HEADS_BLOCK // 4)
            w0, w1, w2, w3 = tl.randint4x(seed, edge[:, None] | (group[None, :] << 32))
            word = tl.reshape(tl.join(tl.join(w0, w2), tl.join(w1, w3)), [BLOCK_E, HEADS_BLOCK])
        else:
            w0, w1, w2, w3 = tl.randint4x(seed, edge[:, None] | ((head // 4)[None, :] << 32))
            which = (head % 4)[None, :]
            word = tl.where(which < 2, tl.where(which == 0, w0, w1), tl.where(which == 2, w2, w3))
        kept = word.to(tl.uint32, bitcast=True).to(tl.int64) >= threshold
        tile *= tl.where(kept, kept_scale, 0.0)
    return tile
