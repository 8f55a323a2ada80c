"""Checks that every layer makes on its input states."""

from torch import Tensor


def check_states(states: Tensor, dim: int, layer: object) -> None:
    """Raise ValueError unless the states are `[nodes, dim]`.

    The operators check the number of nodes: a comparison here would make `torch.export` treat it as fixed.
    """
    if states.dim() != 2 or states.shape[1] != dim:
        expected = f"{type(layer).__name__}: states must be [nodes, {dim}]"
        raise ValueError(f"{expected}, found shape {tuple(states.shape)}")


def check_dim(dim: int) -> None:
    """Raise ValueError for states of size below 1."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, found {dim}")
