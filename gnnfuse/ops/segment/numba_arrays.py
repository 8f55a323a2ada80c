"""Tensors as the kernels of the segment operators read them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor as an array of the one layout the kernels are compiled for."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    found: NDArray[Any] = (tensor if tensor.is_contiguous() else tensor.contiguous()).numpy()
    return found


def number(value: float, like: Tensor) -> np.floating[Any]:
    """A scalar in the tensor's precision; a Python float would raise the kernel's arithmetic to float64."""
    scalar: np.floating[Any] = array(like).dtype.type(value)
    return scalar


def dtypes(arguments: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """Those of the arrays among the arguments: one kernel's calls differ in nothing else that needs other code."""
    return tuple([argument.dtype for argument in arguments if type(argument) is np.ndarray])
