"""Converts arrays of numbers in memory to tensors, for every reader."""

import numpy as np
import torch
from torch import Tensor

from gnnfuse.sample.sample import Sample, SignalError


def as_tensor(sample: Sample, signal: str, field: str, value: object, *, expected: str) -> Tensor:
    """Real numbers in a tensor, an array or nested lists, as a tensor of the same dtype.

    Shares memory if torch can; read-only arrays (memory-mapped files, Arrow) and foreign byte orders are copied.

    Raises:
        SignalError: not numbers, or complex ones.
    """
    try:
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(_native(value))
    except (TypeError, ValueError, RuntimeError) as error:
        raise SignalError(sample, signal, f"{field} as {type(value).__name__} ({error})", expected) from error
    if tensor.is_complex():
        raise SignalError(sample, signal, f"{field} of {tensor.dtype}", expected)
    return tensor


def _native(value: object) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{array.dtype} is not a type of numbers")
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"])
