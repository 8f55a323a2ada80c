"""RelationAttention: attention over the incoming edges of all relations together."""

from collections.abc import Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing.check_states import check_states
from gnnfuse.message_passing.edge_terms import EdgeTerms, edge_gate
from gnnfuse.message_passing.heads import check_heads
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.relation_tables import in_batch_order
from gnnfuse.message_passing.typed_linear import TypedLinear
from gnnfuse.ops import graph_attention
from gnnfuse.ops.attention.attention import Impl
from gnnfuse.ops.choose import check_impl


class RelationAttention(MessageLayer):
    """Multi-head attention along typed edges, then a feed-forward block; both residual, norm first.

    Query, key and value come from one map per node type t(i); every relation r has, per head, a bias on the score
    and a gate on the weight after the softmax, which runs over all incoming edges of all relations together:

        s_ij = q_i . k_j / sqrt(head_dim) + bias[r_ij] + F_r f_ij
        x_i <- x_i + W_t(i) sum_j w_ij gate[r_ij] softmax_j(s_ij) v_j
        x_i <- x_i + feed_forward(norm(x_i))

    An edge's features f (if its relation has any) bias the score, its weight w multiplies the message.

    A useless relation can be closed (gate to 0) without changing the others' weights, which a bias alone cannot do.
    Source: node-typed projections and relation priors after Hu et al., "Heterogeneous Graph Transformer" (2020); no
    relation-specific key and value matrices, so keys and values need one row per node.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        heads: attention heads; must divide `dim`.
        expansion: width of the feed-forward block as a multiple of `dim`.
        dropout: probability of dropping an entry of the residuals.
        impl: which `graph_attention` to use.

    Raises:
        ValueError: `heads` does not divide `dim`, dropout is outside 0..1, or an unknown `impl`.

    Example:
        >>> layer = RelationAttention(8, ["text"], [Relation("text", "window", "text")], heads=2)
        >>> sum(p.numel() for p in layer.parameters())
        604
    """

    takes = frozenset({"weight", "features"})

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        heads: int = 4,
        expansion: int = 2,
        dropout: float = 0.0,
        impl: Impl = "auto",
    ) -> None:
        super().__init__()
        check_heads(dim, heads, dropout)
        check_impl(impl, get_args(Impl))
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.heads = heads
        self.expansion = expansion
        self.dropout = dropout
        self.impl = impl
        self.attention_norm = nn.LayerNorm(dim)
        self.project = TypedLinear(dim, 3 * dim, node_types)
        self.output = TypedLinear(dim, dim, node_types)
        self.relation_bias = nn.Parameter(torch.zeros(len(relations), heads))
        self.relation_gate = nn.Parameter(torch.ones(len(relations), heads))
        self.edge_terms = EdgeTerms(relations, heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim)
        )

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out.

        Raises:
            ValueError: the batch has a relation unknown to the layer.
        """
        check_states(states, self.dim, self)
        projected = self.project.split(self.attention_norm(states), batch.slices, 3)
        query, key, value = (part.view(-1, self.heads, self.dim // self.heads) for part in projected)
        received = graph_attention(
            query,
            key,
            value,
            batch.edges,
            relation_bias=in_batch_order(self.relation_bias, self.relations, batch),
            relation_gate=in_batch_order(self.relation_gate, self.relations, batch),
            edge_bias=self.edge_terms.biases(batch),
            edge_gate=edge_gate(batch, self.heads),
            graph_id=batch.graph_id,
            num_graphs=batch.num_graphs,
            impl=self.impl,
        )
        states = states + self._drop(self.output(received.flatten(1), batch.slices))
        return states + self._drop(self.feed_forward(states))

    def _drop(self, added: Float[Tensor, "nodes dim"]) -> Float[Tensor, "nodes dim"]:
        return F.dropout(added, self.dropout, self.training)
