"""Launches the kernels that reduce gathered rows on CUDA; grids follow from shapes, so nothing waits for the device."""

from math import gcd
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from gnnfuse.ops.cuda import triton_reduce_kernels as kernels

PIECE = 512
WARPS = 4
COLUMNS = 256
BLOCK_E = 4


class Terms(NamedTuple):
    """The term of each edge: weight[number] * value[source] * other[source], or 0 where `chosen[source]` != number.

    Args:
        value: `[sources, dim]`, contiguous.
        source: `[edges]`, the row of `value` each edge reads; None means the edge's own position.
        number: `[edges]`, the edge's number in `weight` and `chosen`; None means its own position.
        weight: `[edges]`; None means 1.
        other: like `value`; None means 1.
        chosen: `[sources, dim]`, int32; None keeps all.
    """

    value: Tensor
    source: Tensor | None = None
    number: Tensor | None = None
    weight: Tensor | None = None
    other: Tensor | None = None
    chosen: Tensor | None = None

    def pointers(self) -> dict[str, Tensor | None]:
        """Keyed by the kernel's argument names."""
        return {f"{name}_ptr": tensor for name, tensor in self._asdict().items()}


def reduce_rows(
    terms: Terms, offsets: Tensor, edges: int, kind: int, dtype: torch.dtype, *, sign: int = 1, mean: bool = False
) -> tuple[Tensor, Tensor]:
    """The result `[rows, dim]`; and the edge of each extreme, int32, or the sum of exponentials, or an empty tensor."""
    value = terms.value
    rows, dim = offsets.numel() - 1, value.shape[1]
    accumulator = torch.promote_types(value.dtype, torch.float32)
    second_dtype = torch.int32 if kind == kernels.EXTREME else accumulator
    out = value.new_empty(rows, dim, dtype=dtype)
    second = value.new_empty((rows, dim) if kind else (0, dim), dtype=second_dtype)
    if rows == 0 or dim == 0:
        return out, second
    tiles = row_tiles(dim, value.dtype)
    warps = tiles.pop("num_warps")
    form = {"KIND": kind, "SIGN": sign, "MEAN": mean, "PIECE": PIECE} | tiles
    counts = {"rows": rows, "halvings": rows.bit_length(), "num_edges": edges}
    given = terms.pointers() | {"offsets_ptr": offsets, "num_warps": warps} | counts | form
    columns = triton.cdiv(dim, tiles["BLOCK_D"])

    def programs(places: int) -> tuple[int, int]:
        return triton.cdiv(places, tiles["ROWS"]), columns

    results = {"out_ptr": out, "second_ptr": second if kind else None}
    with torch.cuda.device_of(value):  # type: ignore[no-untyped-call]
        kernels.reduce_rows_kernel[programs(rows)](**given, **results, pieces_ptr=None, IN_PIECES=False)
        if edges > PIECE:
            slots = torch.empty(2 * triton.cdiv(edges, PIECE), dtype=torch.int32, device=value.device)
            part = value.new_empty(len(slots), dim, dtype=accumulator)
            second_part = value.new_empty((len(slots), dim), dtype=second_dtype) if kind else None
            parts = {"out_ptr": part, "second_ptr": second_part, "pieces_ptr": slots}
            kernels.reduce_rows_kernel[programs(len(slots))](**given, **parts, IN_PIECES=True)
            del form["BLOCK_E"]
            merged = {"part_ptr": part, "second_part_ptr": second_part, "pieces_ptr": slots, "slots": len(slots)}
            kernels.reduce_merge_kernel[programs(len(slots))](
                offsets_ptr=offsets, num_warps=warps, **merged, **results, **form
            )
    return out, second


def row_tiles(dim: int, dtype: torch.dtype) -> dict[str, Any]:
    """Up to 256 columns, each row in as few lanes as loads of 16 bytes allow, and as many rows as four warps hold."""
    block_d = min(COLUMNS, triton.next_power_of_2(dim))
    lanes = max(block_d // gcd(16 // dtype.itemsize, dim), 1)
    return {
        "DIM": dim,
        "BLOCK_D": block_d,
        "ROWS": max(32 * WARPS // lanes, 1),
        "BLOCK_E": BLOCK_E,
        "ACCUMULATOR": triton_dtype(torch.promote_types(dtype, torch.float32)),
        "num_warps": WARPS,
    }


def tile_options(dim: int, accumulator: torch.dtype) -> dict[str, Any]:
    """For one row per edge, tiles of about 1,024 numbers: up to 128 columns, and as many edges as fill it, 32 at most.

    A smaller tile, as with few columns, gets one warp.
    """
    block_d = min(128, triton.next_power_of_2(dim))
    block_e = min(32, 1024 // block_d)
    return {
        "BLOCK_E": block_e,
        "BLOCK_D": block_d,
        "ACCUMULATOR": triton_dtype(accumulator),
        "num_warps": 4 if block_e * block_d >= 1024 else 1,
    }


def triton_dtype(dtype: torch.dtype) -> Any:
    """Triton's name of an accumulator's dtype."""
    return triton.language.float64 if dtype == torch.float64 else triton.language.float32
