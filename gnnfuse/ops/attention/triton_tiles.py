"""Shared by the kernels of `graph_attention(impl="triton")`: loads and stores tiles of rows.

A program works on ROWS rows side by side (triton_spans.py), and on one group of heads (`program_id(1)`). Its tiles are
`[BLOCK_E, ROWS, HEADS_BLOCK, PAD]` in float32: the next edges of each row, the group's heads, and the dim padded to a
power of two.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any

import triton
import triton.language as tl

from gnnfuse.ops.cuda.triton_spans import Pointer, Tile


@triton.jit
def group_of_heads(HEADS_BLOCK: tl.constexpr) -> Tile:
    """The heads this program works on, `[HEADS_BLOCK]`."""
    return tl.program_id(1) * HEADS_BLOCK + tl.arange(0, HEADS_BLOCK)


@triton.jit
def columns(
    HEAD_STRIDE: tl.constexpr, HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr
) -> Any:
    """The offsets of a row's numbers from its start, and which of them exist, `[HEADS_BLOCK * PAD]`.

    Rows are loaded flat and split into heads afterwards: all edges of a tile row then lie in the same few lanes, so
    sums over edges stay within a lane.
    """
    column = tl.arange(0, HEADS_BLOCK * PAD)
    head = tl.program_id(1) * HEADS_BLOCK + column // PAD
    d = column % PAD
    return head * HEAD_STRIDE + d, (head < HEADS) & (d < DIM)


@triton.jit
def load_flat(
    ptr: Pointer, row: Tile, STRIDE: tl.constexpr, HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """Rows `[n]` of an array `[rows, heads, dim]` as `[n, HEADS_BLOCK * PAD]`, zeros outside of it."""
    place, exists = columns(HEAD_STRIDE, HEADS, HEADS_BLOCK, DIM, PAD)
    at = (ptr + place)[None, :] + (row.to(tl.int64) * STRIDE)[:, None]
    if (HEADS % HEADS_BLOCK == 0) & (DIM == PAD):
        return tl.load(at)
    else:
        return tl.load(at, mask=exists[None, :], other=0.0)


@triton.jit
def load_rows(
    ptr: Pointer, row: Tile, STRIDE: tl.constexpr, HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """The program's rows `[ROWS]` as `[ROWS, HEADS_BLOCK, PAD]`."""
    flat = load_flat(ptr, row, STRIDE, HEAD_STRIDE, HEADS, HEADS_BLOCK, DIM, PAD)
    return tl.reshape(flat, [row.shape[0], HEADS_BLOCK, PAD]).to(tl.float32)


@triton.jit
def load_ends(
    ptr: Pointer, row: Tile, STRIDE: tl.constexpr, HEAD_STRIDE: tl.constexpr,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> Tile:  # fmt: skip
    """The rows at the ends of edges `[BLOCK_E, ROWS]` as `[BLOCK_E, ROWS, HEADS_BLOCK, PAD]`."""
    flat = tl.reshape(row, [row.shape[0] * row.shape[1]])
    flat = load_flat(ptr, flat, STRIDE, HEAD_STRIDE, HEADS, HEADS_BLOCK, DIM, PAD)
    return tl.reshape(flat, [row.shape[0], row.shape[1], HEADS_BLOCK, PAD]).to(tl.float32)


@triton.jit
def store_rows(
    ptr: Pointer, place: Tile, tile: Tile, exists: Tile,
    HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr, DIM: tl.constexpr, PAD: tl.constexpr,
) -> None:  # fmt: skip
    """Write `[ROWS, HEADS_BLOCK, PAD]` into rows of a contiguous array `[rows, heads, dim]`, in the array's dtype."""
    column, real = columns(DIM, HEADS, HEADS_BLOCK, DIM, PAD)
    at = (ptr + column)[None, :] + (place.to(tl.int64) * (HEADS * DIM))[:, None]
    tl.store(at, tl.reshape(tile, [place.shape[0], HEADS_BLOCK * PAD]), mask=exists[:, None] & real[None, :])


@triton.jit
def store_heads(ptr: Pointer, place: Tile, tile: Tile, exists: Tile, head: Tile, HEADS: tl.constexpr) -> None:
    """Write `[ROWS, HEADS_BLOCK]` into rows of an array `[rows, heads]`."""
    at = (ptr + head)[None, :] + (place.to(tl.int64) * HEADS)[:, None]
    tl.store(at, tile, mask=exists[:, None] & (head < HEADS)[None, :])


@triton.jit
def load_heads(ptr: Pointer, row: Tile, head: Tile, HEADS: tl.constexpr, HEADS_BLOCK: tl.constexpr) -> Tile:
    """Rows `[ROWS]` or `[BLOCK_E, ROWS]` of an array `[rows, heads]`, with one more axis `[HEADS_BLOCK]`; float32."""
    at = tl.expand_dims(row.to(tl.int64) * HEADS, len(row.shape)) + head
    if HEADS % HEADS_BLOCK == 0:
        return tl.load(ptr + at).to(tl.float32)
    else:
        return tl.load(ptr + at, mask=head < HEADS, other=0.0).to(tl.float32)
