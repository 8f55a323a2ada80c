"""Defines `pixel_patches` in plain PyTorch."""

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor


def pixel_patches_reference(
    pixels: UInt8[np.ndarray, "height width 4"], out: Shaped[Tensor, "patches 3 side side"], stride: int
) -> None:
    """Write the patches into `out`."""
    patch = out.shape[2]
    planes = torch.from_numpy(pixels[:, :, :3].copy()).permute(2, 0, 1)
    if out.dtype != torch.uint8:
        planes = planes.float() / 255.0
    slices = planes.unfold(1, patch, stride).unfold(2, patch, stride)
    out.copy_(slices.permute(1, 2, 0, 3, 4).reshape(out.shape))
