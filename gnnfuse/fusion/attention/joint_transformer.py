"""The strong attention baseline: a transformer over the tokens of all modalities together."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import Family, FusionModel, read_types
from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.readout import Fused


class JointTransformer(FusionModel):
    """Self-attention over every token of every modality.

    Tokens come from the same encoders as the graph's nodes (which add positions), plus a learned vector per modality.
    Source: joint tokens of several modalities after Kim et al., "ViLT" (2021).

    Args:
        node_types: the samples' node types; learned types (hubs) are left out.
        dim: size of the token states and of the fused vector.
        depth: number of blocks.
        heads: attention heads; must divide `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: `heads` does not divide `dim`, or no node type reads a signal.
    """

    family: ClassVar[Family] = "attention"
    gives = frozenset({"nodes"})

    def __init__(
        self, node_types: Sequence[NodeType], *, dim: int = 64, depth: int = 3, heads: int = 4, dropout: float = 0.0
    ) -> None:
        if not read_types(node_types):
            raise ValueError("a joint transformer needs a node type that reads a signal, found none")
        super().__init__(read_types(node_types), dim)
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.modality = nn.ParameterDict({t.name: nn.Parameter(torch.randn(dim) * 0.02) for t in self.node_types})
        self.transformer = TokenTransformer(dim, depth=depth, heads=heads, dropout=dropout)

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors and the states of the nodes out."""
        return self.transformer.with_nodes({name: found + self.modality[name] for name, found in states.items()}, batch)
