"""Window: neighbours in a sequence."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule, TypeNames, expand_ranges, named, without_self
from gnnfuse.nodes import NodeSet, NodeType


@dataclass(frozen=True, kw_only=True)
class Window(EdgeRule):
    """Joins every node of a sequence with those at most `size` steps before or after it.

    Args:
        size: steps to each side.
        types: names of the types that it joins; None for every type that provides "order".
        name: names the rule in relations.

    Raises:
        ValueError: a size below 1.

    Example:
        >>> nodes = NodeSet(torch.zeros(3, 1), shape=(3,))
        >>> Window(size=1).edges(nodes, nodes).tolist()
        [[1, 0, 2, 1], [0, 1, 1, 2]]
    """

    size: int = 2
    types: TypeNames = None
    name: str = "window"
    joins: ClassVar[str] = "a type that provides 'order' with itself"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"rule {self.name!r}: size must be at least 1, found {self.size}")

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """One type with itself, if it provides "order"."""
        return src.name == dst.name and "order" in src.provides and named(self.types, src)

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """Edges between different nodes within the window."""
        center = torch.arange(src.num_nodes)
        first, last = (center - self.size).clamp(min=0), (center + self.size + 1).clamp(max=src.num_nodes)
        return without_self(expand_ranges(first, last))

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        """The sequence's length."""
        return src.num_nodes
