"""Complete: joins all pairs of nodes."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule, TypeNames, expand_ranges, named, without_self
from gnnfuse.nodes import NodeSet, NodeType


@dataclass(frozen=True, kw_only=True)
class Complete(EdgeRule):
    """Joins every node of the source types with every node of the destination types.

    Args:
        src: names of the source types; None for every type.
        dst: names of the destination types; None for every type.
        within: also join a type with itself (never a node with itself).
        name: names the rule in relations.

    Example:
        >>> hub, tokens = NodeSet(torch.zeros(1), (1,)), NodeSet(torch.zeros(3), (3,))
        >>> Complete(dst="hub").edges(tokens, hub).tolist()
        [[0, 1, 2], [0, 0, 0]]
    """

    src: TypeNames = None
    dst: TypeNames = None
    within: bool = False
    name: str = "complete"
    joins: ClassVar[str] = "the types it names, different ones unless within=True"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Named types; a type with itself only if `within` is set."""
        return named(self.src, src) and named(self.dst, dst) and (self.within or src.name != dst.name)

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """All pairs."""
        first = torch.zeros(dst.num_nodes, dtype=torch.int64)
        edges = expand_ranges(first, first + src.num_nodes)
        return without_self(edges) if src is dst else edges

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        """Both sizes, and whether the two sets are the same."""
        return src.num_nodes, dst.num_nodes, src is dst
