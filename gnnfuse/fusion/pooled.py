"""One vector per modality, from that modality's own transformer."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.graph import GraphBatch


class PooledModalities(nn.Module):
    """Reads out each modality separately, at a class token, which attends only to itself if the modality is absent.

    Args:
        modalities: names of their node types.
        dim: size of the vectors.
        depth: transformer blocks per modality.
        heads: attention heads; must divide `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: no node type reads a signal.
    """

    def __init__(self, modalities: Sequence[str], dim: int, *, depth: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if not modalities:
            raise ValueError("found no node type that reads a signal, expected at least one")
        self.modalities = tuple(modalities)
        self.dim = dim
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.transformers = nn.ModuleDict(
            {name: TokenTransformer(dim, depth=depth, heads=heads, dropout=dropout) for name in modalities}
        )

    def forward(
        self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch
    ) -> tuple[Float[Tensor, "graphs modalities dim"], Bool[Tensor, "graphs modalities"]]:
        """Encoded states in; out one vector per graph and modality, and whether the graph has any token of it."""
        pooled = [self.transformers[name]({name: states[name]}, batch) for name in self.modalities]
        has_tokens = [batch.layout[name].offsets.diff() > 0 for name in self.modalities]
        return torch.stack(pooled, dim=1), torch.stack(has_tokens, dim=1)
