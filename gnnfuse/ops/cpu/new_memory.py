"""Memory for the results of CPU kernels."""

import math
from typing import Any

import torch
from torch import Tensor

from gnnfuse.ops.cpu.kept_memory import KEPT, Block, aligned

KEPT_FROM = 256 * 2**10


def new_block(length: int) -> Block:
    """An uninitialised array of this many bytes that begins at a cache line; from 256 KiB on, from the pool."""
    block = KEPT.take(length) if length >= KEPT_FROM else aligned(length)
    fills: Any = torch.utils.deterministic
    if torch.are_deterministic_algorithms_enabled() and fills.fill_uninitialized_memory:
        block.fill(255)  # NaN or -1, with which PyTorch fills new memory in this mode
    return block


def new_memory(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of the dtype and device of `like`.

    On the CPU, from 256 KiB on, it reuses the memory of an earlier tensor of this size if there is any: touching new
    memory takes longer than most kernels. New memory comes from numpy, which requests pages of 2 MiB from Linux.
    """
    length = like.element_size() * math.prod(shape)
    if length < KEPT_FROM or like.device.type != "cpu":
        return like.new_empty(shape)
    memory = new_block(length)
    # Not a view of another tensor: autograd restricts changes of views in place.
    own: Any = like.new_empty(0)
    tensor: Tensor = own.set_(torch.from_numpy(memory).untyped_storage(), 0, shape)
    return tensor
