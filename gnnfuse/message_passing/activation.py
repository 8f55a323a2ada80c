"""The element-wise functions at the end of published layers."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional as F

Activation = Literal["relu", "elu", "gelu"]
FUNCTIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu, "elu": F.elu, "gelu": F.gelu}


def check_activation(activation: str | None) -> None:
    """Raise ValueError for an unknown name."""
    if activation is not None and activation not in get_args(Activation):
        known = ", ".join(map(repr, get_args(Activation)))
        raise ValueError(f"activation must be one of {known} or None, found {activation!r}")


def activate(activation: Activation | None, states: Tensor) -> Tensor:
    """The states after the function; None leaves them unchanged.

    Example:
        >>> import torch
        >>> activate("relu", torch.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return states if activation is None else FUNCTIONS[activation](states)
