"""Hubs: learned nodes that exchange messages with many others."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout, NodeEncoder, NodeSet, NodeType
from gnnfuse.sample import Sample


@dataclass(frozen=True, kw_only=True)
class Hub(NodeType):
    """Learned nodes, the same in every sample before message passing; `Complete` joins them to others.

    One hub per sample fuses all modalities; one per modality (`Hub(name="image_hub", of="image")`, joined to that
    type only) summarises it, and exists only where the sample has the signal.

    Args:
        name: the type's name.
        count: hub nodes per sample.
        of: the signal whose presence the hub follows; None for a hub in every sample.

    Raises:
        ValueError: fewer than one node.

    Example:
        >>> Hub(count=2).nodes(Sample({})).values.tolist()
        [0, 1]
    """

    name: str = "hub"
    count: int = 1
    of: str | None = None
    signal: None = field(default=None, init=False)
    provides: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"node type {self.name!r}: count must be at least 1, found {self.count}")

    def empty(self) -> NodeSet:
        """No hub."""
        return NodeSet(torch.zeros(0, dtype=torch.int64), (0,))

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The hub nodes' numbers: `[count]`."""
        if self.of is not None and self.of not in sample.signals:
            return None
        return NodeSet(torch.arange(self.count), (self.count,))

    def follows(self) -> str | None:
        """The signal whose presence the hub follows."""
        return self.of

    def encoder(self, dim: int) -> NodeEncoder:
        """One learned vector per hub node."""
        return HubEncoder(self.count, dim)


class HubEncoder(NodeEncoder):
    """One learned vector per hub node."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.count = count
        self.dim = dim
        self.embedding = nn.Embedding(count, dim)

    def forward(self, values: Int[Tensor, "nodes"], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Hub numbers in, states out."""
        states: Tensor = self.embedding(values)
        return states
