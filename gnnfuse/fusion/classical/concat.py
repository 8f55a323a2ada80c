"""Late fusion: concatenated pooled modalities."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import Family, FusionModel, read_types
from gnnfuse.fusion.pooled import PooledModalities
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.readout import Fused


class Concat(FusionModel):
    """A small network over the concatenation of one vector per modality.

    Args:
        node_types: the samples' node types; learned types (hubs) are left out.
        dim: size of the vectors.
        depth: transformer blocks within each modality.
        heads: attention heads of those blocks; must divide `dim`.
        expansion: width of the hidden layer as a multiple of `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: `heads` does not divide `dim`, or no node type reads a signal.
    """

    family: ClassVar[Family] = "classical"
    gives = frozenset({"parts"})

    def __init__(
        self,
        node_types: Sequence[NodeType],
        *,
        dim: int = 64,
        depth: int = 3,
        heads: int = 4,
        expansion: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(read_types(node_types), dim)
        self.depth = depth
        self.heads = heads
        self.expansion = expansion
        self.dropout = dropout
        self.pooled = PooledModalities(self.modalities, dim, depth=depth, heads=heads, dropout=dropout)
        self.network = nn.Sequential(
            nn.Linear(len(self.node_types) * dim, expansion * dim),
            nn.GELU(),
            nn.Linear(expansion * dim, dim),
            nn.LayerNorm(dim),
        )

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors out, and the pooled vector of each modality."""
        parts, present = self.pooled(states, batch)
        return Fused(self.network(parts.flatten(1)), parts, present)
