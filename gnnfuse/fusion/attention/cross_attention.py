"""Cross-attention between modalities: each modality, as one vector, attends to the others."""

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


class CrossAttention(FusionModel):
    """Attention of each pooled modality to the sample's other modalities.

    With x_i the vector of modality i and one set of maps for all modalities, for each head:

        z_i = x_i + W sum_{j != i} softmax_{j != i}(q_i . k_j / sqrt(d)) v_j,    q, k, v = maps of LayerNorm(x)

    The fused vector is a small network over the concatenated z_i, as in `Concat`. The only modality of a sample keeps
    its own vector. Source: the cross-modal attention of Tsai et al., "Multimodal Transformer for Unaligned
    Multimodal Language Sequences" (2019), https://arxiv.org/abs/1906.00295, here over one vector per modality.

    Args:
        node_types: the samples' node types; learned types (hubs) are left out.
        dim: size of the vectors.
        depth: transformer blocks within each modality.
        heads: attention heads, both in those blocks and between modalities; must divide `dim`.
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
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.network = nn.Sequential(
            nn.Linear(len(self.modalities) * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.LayerNorm(dim)
        )

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors out, and the vector of each modality after attention."""
        vectors, present = self.pooled(states, batch)
        query, key, value = self.project(self.norm(vectors)).unflatten(2, (3, self.heads, -1)).unbind(2)
        scores = torch.einsum("gihd,gjhd->ghij", query, key) / math.sqrt(query.shape[-1])
        others = ~torch.eye(len(self.modalities), dtype=torch.bool, device=present.device) & present[:, None, :]
        any_other = others.any(dim=2, keepdim=True)
        counted = others | ~any_other  # a softmax over nothing is undefined; its result is left out below
        weights = scores.masked_fill(~counted[:, None], -torch.inf).softmax(dim=3)
        heard = torch.einsum("ghij,gjhd->gihd", weights, value).flatten(2)
        parts = vectors + self.output(heard) * any_other
        return Fused(self.network(parts.flatten(1)), parts, present)
