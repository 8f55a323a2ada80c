"""Memory for what belongs together, in one block."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from gnnfuse.ops.cpu.kept_memory import ALIGNMENT
from gnnfuse.ops.cpu.new_memory import new_block


def empty_in_one_block(wanted: Sequence[tuple[tuple[int, ...], torch.dtype]]) -> list[Tensor]:
    """Tensors on the CPU with nothing written yet, each with a storage of its own, all in one block of memory.

    The C library gives memory back to the system where more is free than twice the largest block there was, and the
    system then clears and maps it anew for the next batch: with several blocks per batch that happens every time, and
    costs several times what filling them does. A large block is memory that earlier results left (`KeptMemory`).

    Each begins at a multiple of a cache line: matrix products add up in an order that depends on addresses, so that the
    same samples gave other last bits from one batch to the next.

    Args:
        wanted: shape and dtype of each.

    Example:
        >>> numbers, flags = empty_in_one_block([((2, 3), torch.float32), ((5,), torch.bool)])
        >>> numbers.shape, flags.dtype
        (torch.Size([2, 3]), torch.bool)
    """
    lengths = [math.prod(shape) * dtype.itemsize for shape, dtype in wanted]
    begins = list(accumulate((-(-length // ALIGNMENT) * ALIGNMENT for length in lengths), initial=0))
    whole = new_block(
        begins[-1]
    ).data  # parts of this keep the block itself; parts of the array keep only what that lies in
    return [
        torch.from_numpy(np.frombuffer(whole[begin : begin + length], np.uint8)).view(dtype).reshape(shape)
        if length
        else torch.empty(shape, dtype=dtype)  # numpy gives an empty part strides that torch refuses
        for (shape, dtype), begin, length in zip(wanted, begins, lengths, strict=False)
    ]
