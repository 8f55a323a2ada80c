"""Finds the edges that a Triton program works on: those into some rows side by side, or pieces of very long rows.

A program works on ROWS rows side by side, `[BLOCK_E, ROWS]` edges at a time: the next of each row. A row with fewer
edges than its neighbours reads its last edge again, and the result is masked: masks on loads cost more.

Rows of more than PIECE edges are hubs. The list is cut into pieces of PIECE edges. Piece p has two slots, 2p and
2p + 1, as at most two hubs touch it. A hub that starts inside a piece has slot 2p + 1 of it, and slots 2p of its other
pieces. With IN_PIECES, a program works on slots instead of rows; another launch then merges each hub's slots.
"""
# ruff: noqa: N803 - capitals are compile-time constants, as Triton's users write them

from typing import Any, TypeAlias

import triton
import triton.language as tl

# For readers only: the compiler resolves annotations, and knows only its own types.
Pointer: TypeAlias = tl.tensor
Scalar: TypeAlias = tl.tensor
Tile: TypeAlias = tl.tensor

# Arguments that differ between batches: not specialised, so that one compiled kernel serves all batches.
COUNTS = ("rows", "halvings", "num_edges", "slots", "edges_per_program", "relations")


@triton.jit
def spans(
    offsets_ptr: Pointer, pieces_ptr: Pointer, rows: Scalar, halvings: Scalar, num_edges: Scalar,
    ROWS: tl.constexpr, PIECE: tl.constexpr, IN_PIECES: tl.constexpr,
) -> Any:  # fmt: skip
    """For the program's rows or slots `[ROWS]`: position in the results, row, first edge, end, and whether it has one.

    Without IN_PIECES, a hub has no result; with it, a slot without a hub has none.
    """
    place = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    if IN_PIECES:
        row, start, stop = span_of_slot(offsets_ptr, place, rows, halvings, num_edges, PIECE)
        exists = start < stop
        if tl.program_id(1) == 0:
            tl.store(pieces_ptr + place, tl.where(exists, row, -1), mask=place < 2 * tl.cdiv(num_edges, PIECE))
    else:
        exists = place < rows
        row = tl.minimum(place, rows - 1)
        start = tl.load(offsets_ptr + row).to(tl.int32)
        stop = tl.load(offsets_ptr + row + 1).to(tl.int32)
        exists &= stop - start <= PIECE
        stop = tl.where(exists, stop, start)
    return place, row, start, stop, exists


@triton.jit
def span_of_slot(
    offsets_ptr: Pointer, slot: Tile, rows: Scalar, halvings: Scalar, num_edges: Scalar, PIECE: tl.constexpr
) -> Any:
    """Row, first edge and end of a slot's piece of a hub; no edges if it holds none."""
    first = (slot // 2).to(tl.int64) * PIECE
    end = tl.minimum(first + PIECE, num_edges)
    edge = tl.minimum(tl.where(slot % 2 == 0, first, end - 1), num_edges - 1)
    low = slot * 0  # the last row that begins at or before the edge, by bisection
    high = low + rows - 1
    for _ in range(halvings):
        middle = low + (high - low + 1) // 2
        is_before = tl.load(offsets_ptr + middle) <= edge
        low = tl.where(is_before, middle, low)
        high = tl.where(is_before, high, middle - 1)
    start, stop = tl.load(offsets_ptr + low), tl.load(offsets_ptr + low + 1)
    is_hub = (stop - start > PIECE) & ((slot % 2 == 0) | (start > first)) & (first < num_edges)
    start = tl.where(is_hub, tl.maximum(start, first), 0)
    stop = tl.where(is_hub, tl.minimum(stop, end), 0)
    return low, start.to(tl.int32), stop.to(tl.int32)


@triton.jit
def slot_of(part: Tile, start: Tile, PIECE: tl.constexpr) -> Tile:
    """Slot of the part-th piece of a hub whose edges begin at `start`."""
    inside = (start % PIECE != 0).to(tl.int32)
    return 2 * (start // PIECE + part) + tl.where(part == 0, inside, 0)


@triton.jit
def hubs(offsets_ptr: Pointer, pieces_ptr: Pointer, slots: Scalar, ROWS: tl.constexpr, PIECE: tl.constexpr) -> Any:
    """The program's slots `[ROWS]`, the hubs whose first slots they are, these hubs' first edges and pieces, or 0."""
    slot = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row = tl.load(pieces_ptr + slot, mask=slot < slots, other=-1)
    is_hub = row >= 0
    start = tl.load(offsets_ptr + row, mask=is_hub, other=0).to(tl.int32)
    stop = tl.load(offsets_ptr + row + 1, mask=is_hub, other=0).to(tl.int32)
    count = (stop - 1) // PIECE - start // PIECE + 1
    return slot, row, start, tl.where(is_hub & (slot == slot_of(0, start, PIECE)), count, 0)


@triton.jit
def edges_at(start: Tile, stop: Tile, step: Scalar, BLOCK_E: tl.constexpr) -> Any:
    """The next edges of each row `[BLOCK_E, ROWS]` (beyond its end, its last one), and which are real."""
    edge = start[None, :] + step + tl.arange(0, BLOCK_E)[:, None]
    last = tl.maximum(stop - 1, 0)
    return tl.minimum(edge, last[None, :]), edge < stop[None, :]
