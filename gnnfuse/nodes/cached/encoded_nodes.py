"""Nodes whose values are the features of a frozen encoder, as a blend computes them for its members."""

from dataclasses import dataclass, field

from gnnfuse.nodes.cached.cached_encoder import CachedEncoder
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, NodeType
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes
from gnnfuse.nodes.summary import MeanSummary
from gnnfuse.sample import Sample


@dataclass(frozen=True, kw_only=True)
class EncodedNodes(NodeType):
    """A pretrained node type whose values are the frozen encoder's features, `[nodes, width]`, instead of slices.

    The members of a `Blend` read such nodes: the blend runs each encoder once per batch, for all of its members.

    Args:
        of: the node type, frozen, without tuned blocks.

    Raises:
        ValueError: the encoder, or some of its blocks, are trained.
    """

    of: PretrainedNodes
    name: str = field(init=False)
    signal: str = field(init=False)
    provides: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        for own in ("name", "signal", "provides"):
            object.__setattr__(self, own, getattr(self.of, own))
        if not self.of.frozen or self.of.tuned:
            raise ValueError(f"node type {self.name!r}: found a trained encoder, expected a frozen one")

    def empty(self) -> NodeSet:
        """No nodes."""
        return self.of.empty_features()

    def nodes(self, sample: Sample) -> NodeSet | None:
        """Nodes cannot be made from a sample without the encoder.

        Raises:
            ValueError: the sample has the signal.
        """
        if self.of.content(sample) is None:
            return None
        raise ValueError(
            f"sample {sample.id!r}, signal {self.signal!r}: found a member of a blend, which reads features of "
            f"{self.of.model}; expected the blend, which makes them"
        )

    def encoder(self, dim: int) -> NodeEncoder:
        """The projection alone."""
        return CachedEncoder(self.of.projection(dim))

    def summary(self) -> MeanSummary:
        """The mean of the features."""
        return MeanSummary(self.of.width)
