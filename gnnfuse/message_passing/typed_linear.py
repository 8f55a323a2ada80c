"""One linear map per node type, over states ordered by type."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.ops import typed_linear


class TypedLinear(nn.Module):
    """`states[i] @ W[type of i] + b[type of i]`.

    Args:
        in_dim: size of the states.
        out_dim: size of the result.
        node_types: names of the types.
        bias: whether to add b.

    Raises:
        ValueError: from `forward`, states of a type that is not among `node_types`.

    Example:
        >>> linear = TypedLinear(4, 6, ["image", "text"])
        >>> linear(torch.zeros(5, 4), {"image": slice(0, 3), "text": slice(3, 5)}).shape
        torch.Size([5, 6])
    """

    def __init__(self, in_dim: int, out_dim: int, node_types: Sequence[str], *, bias: bool = True) -> None:
        super().__init__()
        self.in_dim = in_dim
        self.out_dim = out_dim
        self.node_types = tuple(node_types)
        self.bias = bias
        self.linears = nn.ModuleDict({name: nn.Linear(in_dim, out_dim, bias=bias) for name in node_types})

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
            ValueError: `parts` does not divide `out_dim`, or states of an unknown type.
        """
        unknown = [name for name in slices if name not in self.linears]
        if unknown:
            raise ValueError(f"found states of node type {unknown[0]!r}, expected {', '.join(self.node_types)}")
        weights: list[Tensor] = [self.linears[name].weight for name in slices]  # type: ignore[misc]
        none = weights[0].new_zeros(self.out_dim)
        biases: list[Tensor] = [self.linears[name].bias if self.bias else none for name in slices]  # type: ignore[misc]
        counts = [place.stop - place.start for place in slices.values()]
        return typed_linear(states, weights, biases, counts, parts=parts)


def split_types(states: Float[Tensor, "nodes dim"], slices: Mapping[str, slice]) -> dict[str, Tensor]:
    """Each type's states, by one split: its gradient is written once, whereas every slice would fill a zero tensor."""
    parts = torch.split(states, [place.stop - place.start for place in slices.values()])
    return dict(zip(slices, parts, strict=True))
