"""Memory for the results of CPU kernels."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

HUGE = 4 * 2**20


def new_memory(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the dtype of `like`, on the CPU.

    From 4 MiB on it comes from numpy, which asks Linux for pages of 2 MiB. Touching new memory in pages of 4 KiB
    takes longer than most kernels do: 34 MB were filled in 12 ms, and in 3.6 ms this way.
    """
    if like.element_size() * math.prod(shape) < HUGE or like.dtype == torch.bfloat16:
        return like.new_empty(shape)
    memory = np.empty(shape, like.new_empty(0).numpy().dtype)
    fills: Any = torch.utils.deterministic
    if torch.are_deterministic_algorithms_enabled() and fills.fill_uninitialized_memory:
        memory.view(np.uint8).fill(255)  # NaN, or -1, as PyTorch fills its own new memory then
    return torch.from_numpy(memory)
