"""Nearest: the k nearest in space or in feature space."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule, TypeNames, named
from gnnfuse.nodes import NodeSet, NodeType

PAIRS_AT_ONCE = 1 << 24  # bounds the memory for the distances


@dataclass(frozen=True, kw_only=True)
class Nearest(EdgeRule):
    """Joins every node with the k nearest of the source type by Euclidean distance; the first wins ties.

    Args:
        k: edges into every node; fewer if the source has fewer nodes.
        by: "position", or "features" (the user's rows).
        src: names of the source types; None for every type.
        dst: names of the destination types; None for every type.
        within: also join a type with itself (never a node with itself).
        across: also join different types; their coordinates must then have the same meaning.
        name: names the rule in relations.

    Raises:
        ValueError: k below 1, or an unknown `by`.

    Example:
        >>> points = NodeSet(torch.zeros(3, 1), (3,), position=torch.tensor([[0.0], [1.0], [5.0]]))
        >>> Nearest(k=1).edges(points, points).tolist()
        [[1, 0, 1], [0, 1, 2]]
    """

    k: int = 8
    by: Literal["position", "features"] = "position"
    src: TypeNames = None
    dst: TypeNames = None
    within: bool = True
    across: bool = False
    name: str = "nearest"
    joins: ClassVar[str] = (
        "types that provide 'position' (by='position') or 'features' (by='features'), different ones with across=True"
    )

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"rule {self.name!r}: k must be at least 1, found {self.k}")
        if self.by not in ("position", "features"):
            raise ValueError(
                f"rule {self.name!r}: found by={self.by!r}, expected 'position' or 'features' (by time, Aligned joins "
                "nodes of different types)"
            )

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Types that both provide coordinates or features of the same length."""
        if not (self.by in src.provides and self.by in dst.provides and named(self.src, src) and named(self.dst, dst)):
            return False
        if src.name == dst.name:
            return self.within
        return self.across and self._points(src.empty()).shape == self._points(dst.empty()).shape

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """Edges from the nearest nodes."""
        source, target = self._points(src), self._points(dst)
        wide = torch.promote_types(source.dtype, target.dtype)
        source, target = source.to(wide), target.to(wide)
        k = min(self.k, len(source) - (src is dst))
        if k <= 0 or len(target) == 0:
            return torch.zeros(2, 0, dtype=torch.int64)
        rows = max(1, PAIRS_AT_ONCE // len(source))
        found = []
        for begin in range(0, len(target), rows):
            block = target[begin : begin + rows]
            distance = torch.cdist(block, source, compute_mode="donot_use_mm_for_euclid_dist")
            if src is dst:
                distance[torch.arange(len(block)), torch.arange(begin, begin + len(block))] = torch.inf
            found.append(distance.argsort(dim=1, stable=True)[:, :k])
        nearest = torch.cat(found)
        return torch.stack([nearest.flatten(), torch.arange(len(target)).repeat_interleave(k)])

    def _points(self, nodes: NodeSet) -> Float[Tensor, "nodes coordinates"]:
        points = nodes.position if self.by == "position" else nodes.values
        assert points is not None, "the builder checks what types provide"
        return points
