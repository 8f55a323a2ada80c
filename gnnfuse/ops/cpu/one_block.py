"""Allocates several tensors in one block of memory."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from gnnfuse.ops.cpu.kept_memory import ALIGNMENT
from gnnfuse.ops.cpu.new_memory import new_block


def empty_in_one_block(wanted: Sequence[tuple[tuple[int, ...], torch.dtype]]) -> list[Tensor]:
    """Uninitialised tensors on the CPU, each with its own storage, all in one block of memory.

    The C library returns memory to the system if more is free than twice the largest block so far, and the system then
    clears and maps it again for the next batch. With several blocks per batch, that happens every time and costs
    several times as much as filling them. A large block reuses the memory of earlier results (`KeptMemory`).

    Each tensor begins at a cache line: the summation order of matrix products depends on addresses, and without this
    the same samples gave other last bits from one batch to the next.

    Args:
        wanted: shape and dtype of each.

    Example:
        >>> numbers, flags = empty_in_one_block([((2, 3), torch.float32), ((5,), torch.bool)])
        >>> numbers.shape, flags.dtype
        (torch.Size([2, 3]), torch.bool)
    """
    lengths = [math.prod(shape) * dtype.itemsize for shape, dtype in wanted]
    begins = list(accumulate((-(-length // ALIGNMENT) * ALIGNMENT for length in lengths), initial=0))
    # Slices of the memoryview keep the array itself alive, and with it the block; slices of the array, only its base.
    whole = new_block(begins[-1]).data
    return [
        torch.from_numpy(np.frombuffer(whole[begin : begin + length], np.uint8)).view(dtype).reshape(shape)
        if length
        else torch.empty(shape, dtype=dtype)  # numpy gives an empty slice strides that torch refuses
        for (shape, dtype), begin, length in zip(wanted, begins, lengths, strict=False)
    ]
