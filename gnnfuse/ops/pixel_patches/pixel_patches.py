"""Cuts a decoded picture into patches of floats or bytes."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from gnnfuse.ops.choose import auto_on_cpu, check_runs
from gnnfuse.ops.pixel_patches.numba import pixel_patches_numba
from gnnfuse.ops.pixel_patches.reference import pixel_patches_reference

Impl = Literal["auto", "reference", "numba"]


def pixel_patches(
    pixels: UInt8[np.ndarray, "height width 4"],
    *,
    patch: int,
    stride: int,
    out: Shaped[Tensor, "patches 3 side side"] | None = None,
    impl: Impl = "auto",
) -> Shaped[Tensor, "patches 3 side side"]:
    """The square patches of a picture row by row: float32 with 255 as 1, or bytes.

    Args:
        pixels: red, green, blue and an ignored byte, as Pillow stores colours, in a size that patches fill; an array,
            as torch accepts no read-only memory.
        patch: side of a patch.
        stride: pixels from one patch to the next.
        out: output: contiguous float32 or uint8; new float32 by default.
        impl: "reference" is plain PyTorch. "numba" is one pass over the pixels. Both give the same bits; "auto" chooses
            numba if it is installed.

    Raises:
        ValueError: pixels of another kind, a size that patches do not fill, an unsuitable `out`, or `impl` is unknown.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> pixel_patches(np.full((2, 4, 4), 255, dtype=np.uint8), patch=2, stride=2)[:, 0, 0].tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 [height, width, 4], found {pixels.dtype} {list(pixels.shape)}")
    if not 1 <= stride <= patch:
        raise ValueError(f"stride must be at least 1 and at most patch, found stride={stride} and patch={patch}")
    rows, columns = ((length - patch) // stride + 1 for length in pixels.shape[:2])
    if min(rows, columns) < 1 or pixels.shape[:2] != ((rows - 1) * stride + patch, (columns - 1) * stride + patch):
        raise ValueError(f"patches of {patch} every {stride} pixels do not fill a picture of {list(pixels.shape[:2])}")
    shape = (rows * columns, 3, patch, patch)
    if out is None:
        out = torch.empty(shape)
    elif out.shape != shape or out.dtype not in (torch.float32, torch.uint8) or not out.is_contiguous():
        raise ValueError(
            f"out must be float32 or uint8 {list(shape)} without gaps, found {out.dtype} {list(out.shape)}"
        )
    if impl == "auto":
        impl = auto_on_cpu()
    check_runs(impl, ("reference", "numba"), out.device)
    {"reference": pixel_patches_reference, "numba": pixel_patches_numba}[impl](pixels, out, stride)
    return out
