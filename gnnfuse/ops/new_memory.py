"""Memory for the results of CPU kernels."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

HUGE = 4 * 2**20
DTYPES: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64, torch.int32: np.int32}


def new_memory(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the dtype of `like`, on the CPU.

    From 4 MiB on it comes from numpy, which asks Linux for pages of 2 MiB. Touching new memory in pages of 4 KiB
    takes longer than most kernels do: 34 MB were filled in 12 ms, and in 3.6 ms this way.
    """
    dtype = DTYPES.get(like.dtype)
    if dtype is None or like.element_size() * math.prod(shape) < HUGE:
        return like.new_empty(shape)
    memory = np.empty(shape, dtype)
    fills: Any = torch.utils.deterministic
    if torch.are_deterministic_algorithms_enabled() and fills.fill_uninitialized_memory:
        memory.view(np.uint8).fill(255)  # NaN, or -1, as PyTorch fills its own new memory then
    return torch.from_numpy(memory)
