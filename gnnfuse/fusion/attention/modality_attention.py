"""Self-attention over modalities: each modality is one vector, and they attend to each other."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import Family, FusionModel, read_types
from gnnfuse.fusion.pooled import PooledModalities
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.readout import Fused


class ModalityAttention(FusionModel):
    """Attention between pooled modalities.

    With x_i the vector of modality i: q_i, k_i, v_i = W_i x_i + b_i, e_ij = q_i . k_j / sqrt(d),
    z_i = sum_j softmax_j(e_ij) v_j. The fused vector is a small network over the concatenated z_i,
    the same network that `Concat` applies to the x_i.
    The softmax leaves out modalities that a sample lacks (it includes all if the sample has none).

    Args:
        node_types: the samples' node types; learned types (hubs) are left out.
        dim: size of the vectors.
        depth: transformer blocks within each modality.
        heads: attention heads of those blocks; must divide `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: `heads` does not divide `dim`, or no node type reads a signal.
    """

    family: ClassVar[Family] = "attention"
    gives = frozenset({"parts"})

    def __init__(
        self, node_types: Sequence[NodeType], *, dim: int = 64, depth: int = 3, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__(read_types(node_types), dim)
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.pooled = PooledModalities(self.modalities, dim, depth=depth, heads=heads, dropout=dropout)
        self.project = nn.ModuleDict({t.name: nn.Linear(dim, 3 * dim) for t in self.node_types})
        self.output = nn.Sequential(
            nn.Linear(len(self.node_types) * dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), nn.LayerNorm(dim)
        )

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors out, and the pooled vector of each modality."""
        parts, present = self.pooled(states, batch)
        projected = torch.stack([self.project[name](parts[:, i]) for i, name in enumerate(self.modalities)], dim=1)
        query, key, value = projected.chunk(3, dim=2)
        scores = torch.einsum("gid,gjd->gij", query, key) / math.sqrt(self.dim)
        counted = present | ~present.any(dim=1, keepdim=True)
        weights = scores.masked_fill(~counted.unsqueeze(1), -torch.inf).softmax(dim=2)
        return Fused(self.output(torch.einsum("gij,gjd->gid", weights, value).flatten(1)), parts, present)
