"""`pixel_patches` in one pass over the pixels; numba is imported when it runs."""

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor


def pixel_patches_numba(
    pixels: UInt8[np.ndarray, "height width 4"], out: Shaped[Tensor, "patches 3 side side"], stride: int
) -> None:
    """As `pixel_patches`."""
    from gnnfuse.ops.pixel_patches.numba_kernels import pixel_patches_kernel

    packed = np.ascontiguousarray(pixels).view(np.uint32).reshape(-1)
    highest = None if out.dtype == torch.uint8 else np.float32(255)
    pixel_patches_kernel(packed, pixels.shape[1], out.numpy().reshape(-1), out.shape[2], stride, highest)
