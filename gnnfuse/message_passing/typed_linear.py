"""One linear map per node type, over states that lie type by type."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.ops import typed_linear


class TypedLinear(nn.Module):
    """`states[i] @ W[type of i] + b[type of i]`.

    Args:
        in_dim: size of the states.
        out_dim: size of the result.
        node_types: names of the types.

    Example:
        >>> linear = TypedLinear(4, 6, ["image", "text"])
        >>> import torch
        >>> linear(torch.zeros(5, 4), {"image": slice(0, 3), "text": slice(3, 5)}).shape
        torch.Size([5, 6])
    """

    def __init__(self, in_dim: int, out_dim: int, node_types: Sequence[str]) -> None:
        super().__init__()
        self.in_dim = in_dim
        self.out_dim = out_dim
        self.node_types = tuple(node_types)
        self.linears = nn.ModuleDict({name: nn.Linear(in_dim, out_dim) for name in node_types})

    def forward(
        self, states: Float[Tensor, "nodes in_dim"], slices: Mapping[str, slice]
    ) -> Float[Tensor, "nodes out_dim"]:
        """Each type's slice through its own map."""
        return self.split(states, slices, 1)[0]

    def split(
        self, states: Float[Tensor, "nodes in_dim"], slices: Mapping[str, slice], parts: int
    ) -> tuple[Float[Tensor, "nodes part_dim"], ...]:
        """The same, cut into `parts` tensors of equal width.

        Raises:
            ValueError: `parts` does not divide `out_dim`.
        """
        weights: list[Tensor] = [self.linears[name].weight for name in slices]  # type: ignore[misc]
        biases: list[Tensor] = [self.linears[name].bias for name in slices]  # type: ignore[misc]
        counts = [place.stop - place.start for place in slices.values()]
        return typed_linear(states, weights, biases, counts, parts=parts)
