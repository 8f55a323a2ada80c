"""Memory for the results of CPU kernels."""

import math
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.cpu.kept_memory import KEPT, Block, aligned

KEPT_FROM = 256 * 2**10


def new_block(length: int) -> Block:
    """So many bytes from the start of a cache line on, whatever stands in them; from 256 KiB on kept for the next."""
    block = KEPT.take(length) if length >= KEPT_FROM else aligned(length)
    fills: Any = torch.utils.deterministic
    if torch.are_deterministic_algorithms_enabled() and fills.fill_uninitialized_memory:
        block.fill(255)  # NaN, or -1, as PyTorch fills its own new memory then
    return block


def new_memory(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the dtype and device of `like`.

    On the CPU from 256 KiB on it is memory that an earlier tensor of the size left, if there is any: touching new
    memory takes longer than most kernels do. What is new comes from numpy, which asks Linux for pages of 2 MiB.
    """
    length = like.element_size() * math.prod(shape)
    if length < KEPT_FROM or like.device.type != "cpu":
        return like.new_empty(shape)
    memory = new_block(length)
    # A tensor of its own, no view of one: views must not be changed in place where autograd follows.
    own: Any = like.new_empty(0)
    tensor: Tensor = own.set_(torch.from_numpy(memory).untyped_storage(), 0, shape)
    return tensor
