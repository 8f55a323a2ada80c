"""Launches the kernels that reduce gathered rows on CUDA; grids follow from shapes, so nothing waits for the device."""

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from gnnfuse.ops import triton_reduce_kernels as kernels

PIECE = 4096


class Terms(NamedTuple):
    """What is reduced per edge: weight[number] * value[source] * other[source], where `chosen[source]` is the number.

    Args:
        value: `[sources, dim]`, contiguous.
        source: `[edges]`, the row of `value` each edge reads; None means the edge's own place.
        number: `[edges]`, the edge's name in `weight` and `chosen`; None means its own place.
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


def reduce_rows(
    terms: Terms, offsets: Tensor, edges: int, kind: int, dtype: torch.dtype, *, sign: int = 1, mean: bool = False
) -> tuple[Tensor, Tensor]:
    """The result `[rows, dim]`; beside it the edge of each extreme, int32, or the sum of exponentials, else empty."""
    value = terms.value
    rows, dim = offsets.numel() - 1, value.shape[1]
    accumulator = torch.promote_types(value.dtype, torch.float32)
    second_dtype = torch.int32 if kind == kernels.EXTREME else accumulator
    out = value.new_empty(rows, dim, dtype=dtype)
    second = value.new_empty((rows, dim) if kind else (0, dim), dtype=second_dtype)
    if rows == 0 or dim == 0:
        return out, second
    options = tile_options(dim, accumulator)
    columns = triton.cdiv(dim, options["BLOCK_D"])
    has = {f"HAS_{name.upper()}": getattr(terms, name) is not None for name in Terms._fields[1:]}
    source, number, weight, other, chosen = (value if t is None else t for t in terms[1:])
    form = {"KIND": kind, "SIGN": sign}
    reading = options | has | form
    with torch.cuda.device_of(value):  # type: ignore[no-untyped-call]
        kernels.reduce_rows_kernel[(rows, columns)](
            value, other, offsets, source, number, weight, chosen, out, second, dim, PIECE, MEAN=mean, **reading
        )
        if edges > PIECE:
            blocks = triton.cdiv(edges, PIECE)
            part = value.new_empty(blocks, 2, dim, dtype=accumulator)
            second_part = value.new_empty((blocks, 2, dim) if kind else (0,), dtype=second_dtype)
            kernels.reduce_pieces_kernel[(blocks, 2, columns)](
                value, other, offsets, source, number, weight, chosen, part, second_part, rows, edges, dim, PIECE,
                **reading,
            )  # fmt: skip
            joining = {name: option for name, option in options.items() if name != "BLOCK_E"}
            kernels.reduce_join_kernel[(blocks, columns)](
                part, second_part, offsets, out, second, rows, edges, dim, PIECE, MEAN=mean, **joining, **form
            )
    return out, second


def tile_options(dim: int, accumulator: torch.dtype) -> dict[str, Any]:
    """Tiles of about 1,024 numbers: up to 128 columns, and as many edges as fill it, 32 at most; 4 warps.

    A tile that is smaller than that, as with few columns, is one warp's.
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
