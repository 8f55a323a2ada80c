"""One vector per modality, made by that modality's own transformer."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import NodeEncoders
from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType


class PooledModalities(nn.Module):
    """Encodes each modality by itself and reads it out at a class token; absent ones give the bare class token.

    Args:
        node_types: the modalities' types.
        dim: size of the vectors.
        depth: transformer blocks per modality.
        heads: attention heads; must divide `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: no node type reads a signal.
    """

    def __init__(
        self, node_types: Sequence[NodeType], dim: int, *, depth: int, heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not node_types:
            raise ValueError("found no node type that reads a signal, expected at least one")
        self.node_types = tuple(node_types)
        self.dim = dim
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.encoders = NodeEncoders(node_types, dim)
        self.transformers = nn.ModuleDict(
            {t.name: TokenTransformer(dim, depth=depth, heads=heads, dropout=dropout) for t in node_types}
        )

    def forward(
        self, batch: GraphBatch
    ) -> tuple[Float[Tensor, "graphs modalities dim"], Bool[Tensor, "graphs modalities"]]:
        """A batch in; one vector per graph and modality out, and whether the graph has any token of it."""
        states = self.encoders(batch)
        pooled = [self.transformers[name]({name: found}, batch) for name, found in states.items()]
        has_tokens = [batch.layout[name].offsets.diff() > 0 for name in states]
        return torch.stack(pooled, dim=1), torch.stack(has_tokens, dim=1)
