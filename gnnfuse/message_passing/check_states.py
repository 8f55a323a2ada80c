"""What every layer asks of the states it is given."""

from torch import Tensor


def check_states(states: Tensor, dim: int, layer: object) -> None:
    """Raise ValueError unless the states are `[nodes, dim]`.

    The number of nodes is left to the operators: compared here, `torch.export` would hold it for fixed.
    """
    if states.dim() != 2 or states.shape[1] != dim:
        expected = f"{type(layer).__name__}: states must be [nodes, {dim}]"
        raise ValueError(f"{expected}, found shape {tuple(states.shape)}")


def check_dim(dim: int) -> None:
    """Raise ValueError for states of no size."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, found {dim}")
