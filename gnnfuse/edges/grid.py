"""Grid: neighbours on a lattice."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule, TypeNames, named
from gnnfuse.nodes import NodeSet, NodeType


@dataclass(frozen=True, kw_only=True)
class Grid(EdgeRule):
    """Joins neighbours of one type on its lattice, in any number of dimensions: patches, voxels, video cubes.

    Args:
        radius: largest distance to a neighbour in steps along each axis.
        diagonal: 8 neighbours in a picture rather than 4 (steps along several axes at once).
        types: names of the types that it joins; None for every type that provides "grid".
        name: names the rule in relations.

    Raises:
        ValueError: a radius below 1.

    Example:
        >>> nodes = NodeSet(torch.zeros(4, 1), shape=(2, 2))
        >>> Grid(diagonal=False).edges(nodes, nodes).shape
        torch.Size([2, 8])
    """

    radius: int = 1
    diagonal: bool = True
    types: TypeNames = None
    name: str = "grid"
    joins: ClassVar[str] = "a type that provides 'grid' with itself"

    def __post_init__(self) -> None:
        if self.radius < 1:
            raise ValueError(f"rule {self.name!r}: radius must be at least 1, found {self.radius}")

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """One type with itself, if it provides "grid"."""
        return src.name == dst.name and "grid" in src.provides and named(self.types, src)

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """Edges between lattice neighbours, both ways."""
        shape = src.shape
        numbers = torch.arange(src.num_nodes).reshape(shape)
        pairs = [torch.zeros(2, 0, dtype=torch.int64)]
        for step in product(range(-self.radius, self.radius + 1), repeat=len(shape)):
            moved = sum(s != 0 for s in step)
            if moved == 0 or (moved > 1 and not self.diagonal):
                continue
            here = tuple(slice(max(0, -s), max(0, n - max(0, s))) for s, n in zip(step, shape, strict=True))
            there = tuple(slice(max(0, s), max(0, n + min(0, s))) for s, n in zip(step, shape, strict=True))
            pairs.append(torch.stack([numbers[there].flatten(), numbers[here].flatten()]))
        return torch.cat(pairs, dim=1)

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        """The lattice's shape."""
        return src.shape
