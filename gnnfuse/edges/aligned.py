"""Aligned: joins nodes of different types at the same time, or at the same relative place in their sequences."""

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.edges.edge_rule import EdgeRule, TypeNames, expand_ranges, named
from gnnfuse.nodes import NodeSet, NodeType

PAIRS_AT_ONCE = 1 << 24  # bounds the memory for comparing spans in time


@dataclass(frozen=True, kw_only=True)
class Aligned(EdgeRule):
    """Joins nodes of two types whose spans overlap, in seconds or as fractions of their sequences.

    By time, two nodes are joined if their spans come within `margin` seconds of each other. By order, node i of n spans
    i/n to (i+1)/n, widened by `margin` (a fraction) on both sides. Spans that only touch do not overlap, but two equal
    moments without length do. Gaps are compared with `margin` in float64, up to the rounding of the times themselves.

    Args:
        by: "time" joins types that provide "time"; "order" those that provide "order".
        margin: largest gap between spans, in seconds or as a fraction.
        src: names of the source types; None for every type.
        dst: names of the destination types; None for every type.
        name: names the rule in relations.

    Raises:
        ValueError: a margin below 0, or an unknown `by`.

    Example:
        >>> frames, words = NodeSet(torch.zeros(4), (4,)), NodeSet(torch.zeros(2), (2,))
        >>> Aligned(by="order").edges(frames, words).tolist()
        [[0, 1, 2, 3], [0, 0, 1, 1]]
    """

    by: Literal["time", "order"] = "time"
    margin: float = 0.0
    src: TypeNames = None
    dst: TypeNames = None
    name: str = "aligned"
    joins: ClassVar[str] = "two different types that both provide 'time' (by='time') or 'order' (by='order')"

    def __post_init__(self) -> None:
        if self.by not in ("time", "order"):
            raise ValueError(f"rule {self.name!r}: found by={self.by!r}, expected 'time' or 'order'")
        if not self.margin >= 0:
            raise ValueError(f"rule {self.name!r}: margin must be at least 0, found {self.margin}")

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Two different types that both provide times, or an order."""
        both = self.by in src.provides and self.by in dst.provides
        return both and src.name != dst.name and named(self.src, src) and named(self.dst, dst)

    def edges(self, src: NodeSet, dst: NodeSet) -> Int[Tensor, "2 edges"]:
        """Edges between spans that overlap."""
        if self.by == "time":
            assert src.time is not None, "the builder checks what types provide"
            assert dst.time is not None, "the builder checks what types provide"
            return _overlaps(src.time, dst.time, self.margin)
        return self._relative(src.num_nodes, dst.num_nodes)

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable | None:
        """Both lengths, if times do not matter."""
        return (src.num_nodes, dst.num_nodes) if self.by == "order" else None

    def _relative(self, num_src: int, num_dst: int) -> Int[Tensor, "2 edges"]:
        index = torch.arange(num_dst)
        # In units of 1 / (num_src * num_dst) all ends are integers, so rounding the margin up changes no comparison.
        slack = ceil(Fraction(str(min(self.margin, 1.0))) * num_src * num_dst)
        start, end = index * num_src - slack, (index + 1) * num_src + slack
        divisor = max(num_dst, 1)
        first = start.div(divisor, rounding_mode="floor").clamp(min=0)
        last = (-(-end).div(divisor, rounding_mode="floor")).clamp(max=num_src)
        return expand_ranges(first, last)


def _overlaps(src: Float[Tensor, "src 2"], dst: Float[Tensor, "dst 2"], margin: float) -> Int[Tensor, "2 edges"]:
    slack = margin and margin + 4 * max(_grain(src), _grain(dst))
    src, dst = src.double(), dst.double()
    rows = max(1, PAIRS_AT_ONCE // max(1, len(src)))
    pairs = [torch.zeros(2, 0, dtype=torch.int64)]
    for begin in range(0, len(dst), rows):
        block = dst[begin : begin + rows]
        gap = torch.maximum(src[:, 0] - block[:, 1:], block[:, :1] - src[:, 1])  # negative: they share time
        equal = (src[:, 0] == block[:, :1]) & (src[:, 1] == block[:, 1:])
        found = (((gap <= slack) if margin else (gap < 0)) | equal).nonzero()
        pairs.append(torch.stack([found[:, 1], found[:, 0] + begin]))
    return torch.cat(pairs, dim=1)


def _grain(time: Float[Tensor, "nodes 2"]) -> float:
    """The largest rounding error of a time."""
    return torch.finfo(time.dtype).eps * float(time.abs().max()) if len(time) else 0.0
