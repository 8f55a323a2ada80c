"""EdgeList: edges with their weights and features."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor


class EdgeList(NamedTuple):
    """Edges from nodes of one type to nodes of another, or of the same, with weights and features.

    Args:
        index: `[2, edges]`, the indices of source and destination within their node types.
        weight: `[edges]`, a factor on each edge's message; None means 1.
        features: `[edges, features]`, input of the layers; None if the edges have none.

    Example:
        >>> import torch
        >>> EdgeList(torch.tensor([[0, 1], [1, 0]]), weight=torch.tensor([0.5, 2.0])).features is None
        True
    """

    index: Int[Tensor, "2 edges"]  # type: ignore[assignment]  # in place of tuple.index
    weight: Float[Tensor, "edges"] | None = None
    features: Float[Tensor, "edges features"] | None = None
