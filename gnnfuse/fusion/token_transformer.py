"""Dense self-attention over each graph's tokens, as used by every model without edges."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.graph import GraphBatch
from gnnfuse.readout import Fused

Place = tuple[Int[Tensor, "states"], Int[Tensor, "states"]]


class TokenTransformer(nn.Module):
    """A pre-norm transformer over the tokens of some node types, read out at a learned class token.

    Multi-head self-attention through scaled_dot_product_attention, padding masked. A graph without tokens is left
    with the class token alone. Source: Vaswani et al., "Attention Is All You Need" (2017); class token after Devlin
    et al., "BERT" (2019).

    Args:
        dim: size of the token states.
        depth: number of blocks.
        heads: attention heads; must divide `dim`.
        expansion: width of the feed-forward block as a multiple of `dim`.
        dropout: probability of dropping an entry of a block's residual.

    Raises:
        ValueError: `heads` does not divide `dim`, or depth is below 1.
    """

    def __init__(self, dim: int, *, depth: int, heads: int, expansion: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth must be at least 1, found {depth}")
        self.dim = dim
        self.depth = depth
        self.heads = heads
        self.expansion = expansion
        self.dropout = dropout
        self.class_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.blocks = nn.ModuleList(_Block(dim, heads, expansion, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """Token states by node type in, the class token's last state out."""
        return self._read(self._mixed(states, batch)[0])

    def with_nodes(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """As `forward`, with the last states of the tokens as `Fused.nodes`."""
        tokens, place = self._mixed(states, batch)
        mixed: Tensor = self.norm(tokens[:, 1:][place])
        parts = torch.split(mixed, [len(found) for found in states.values()])
        by_type = dict(zip(states, parts, strict=True))
        nodes = [
            by_type[name] if name in by_type else mixed.new_zeros(len(values), self.dim)
            for name, values in batch.values.items()
        ]
        return Fused(self._read(tokens), nodes=torch.cat(nodes))

    def _mixed(
        self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch
    ) -> tuple[Float[Tensor, "graphs tokens dim"], Place]:
        """All tokens after the last block, the class token first, and the given states' positions among the others."""
        tokens, mask, place = pad_tokens(states, batch)
        tokens = torch.cat([self.class_token.expand(batch.num_graphs, 1, -1), tokens], dim=1)
        mask = F.pad(mask, (1, 0), value=True)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens, place

    def _read(self, tokens: Float[Tensor, "graphs tokens dim"]) -> Float[Tensor, "graphs dim"]:
        fused: Tensor = self.norm(tokens[:, 0])
        return fused


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads must divide dim, found heads={heads} and dim={dim}")
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Float[Tensor, "graphs tokens dim"], mask: Bool[Tensor, "graphs tokens"]
    ) -> Float[Tensor, "graphs tokens dim"]:
        projected = self.project(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        received = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        tokens = tokens + self.dropout(self.output(received.transpose(1, 2).flatten(2)))
        added: Tensor = self.dropout(self.feed_forward(tokens))
        return tokens + added


def pad_tokens(
    states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch
) -> tuple[Float[Tensor, "graphs tokens dim"], Bool[Tensor, "graphs tokens"], Place]:
    """The states of each graph in one row, type after type, padded with zeros.

    Args:
        states: per node type, its states.
        batch: defines the graph of each state.

    Returns:
        The tokens; the mask of real tokens; and the graph and column of each state, in the order of `states`.
    """
    graph_id = torch.cat([batch.layout[name].graph_id for name in states])
    counts = torch.stack([batch.layout[name].offsets.diff() for name in states]).sum(dim=0)
    order = graph_id.argsort(stable=True)
    place = torch.arange(len(graph_id), device=graph_id.device) - (counts.cumsum(0) - counts)[graph_id[order]]
    column = torch.empty_like(graph_id).scatter(0, order, place)
    width = int(counts.max().clamp(min=1))  # a batch without tokens has one that is masked, so that no size is 0
    torch._check(width >= 1)  # type: ignore[no-untyped-call]  # a fact about the size that torch.export cannot infer
    stacked = torch.cat(list(states.values()))
    tokens = stacked.new_zeros(batch.num_graphs, width, stacked.shape[1]).index_put((graph_id, column), stacked)
    mask = torch.arange(width, device=graph_id.device) < counts.unsqueeze(1)
    return tokens, mask, (graph_id, column)
