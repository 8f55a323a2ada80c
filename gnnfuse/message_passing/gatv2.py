"""GATv2: attention whose score is a small network of both ends."""

from collections.abc import Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing.activation import Activation, activate, check_activation
from gnnfuse.message_passing.check_states import check_states
from gnnfuse.message_passing.edge_terms import EdgeTerms, edge_gate
from gnnfuse.message_passing.heads import check_heads
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.relation_tables import in_batch_order
from gnnfuse.message_passing.typed_linear import TypedLinear
from gnnfuse.ops import graph_attention
from gnnfuse.ops.attention.attention import Impl
from gnnfuse.ops.choose import check_impl


class GATv2(MessageLayer):
    """Graph attention with the additive score, over the incoming edges of all relations together.

    Every node type t has maps for its nodes as sources (S), as destinations (D), and for a node's own contribution
    (V); every relation r and head has a score vector a. The heads' results are concatenated:

        s_ij = a_r . leaky_relu(D_t(i) x_i + S_t(j) x_j) + F_r f_ij
        x_i <- act(V_t(i) x_i + b_t(i) + sum_j w_ij softmax_j(s_ij) S_t(j) x_j)

    The softmax runs over all edges into i. An edge's features f (if its relation has any) bias the score (in
    `GATv2Conv` they enter the leaky ReLU), its weight w multiplies the message. On batches with one relation and
    without activation, it equals PyTorch Geometric's `GATv2Conv(add_self_loops=False, residual=True)`. The published
    layer has a self loop at each node instead of V; here V keeps the state of a node without edges, which gets act(V x
    + b).

    Source: Brody, Alon and Yahav, "How Attentive are Graph Attention Networks?" (2022),
    https://arxiv.org/abs/2105.14491, equation 7; the skip connection and ELU after Velickovic et al., "Graph
    Attention Networks" (2018), section 3.3.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        heads: attention heads; must divide `dim`.
        negative_slope: of the leaky ReLU in the score.
        dropout: probability of dropping an attention weight.
        activation: "elu", as published, "relu", "gelu", or None.
        impl: which `graph_attention` to use.

    Raises:
        ValueError: `heads` does not divide `dim`, dropout outside 0..1, or an unknown activation or `impl`; in
            `forward`, a batch with node types or relations unknown to the layer.

    Example:
        >>> layer = GATv2(8, ["text"], [Relation("text", "window", "text")], heads=2)
        >>> sum(p.numel() for p in layer.parameters())
        224
    """

    takes = frozenset({"weight", "features"})

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        heads: int = 4,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        activation: Activation | None = "elu",
        impl: Impl = "auto",
    ) -> None:
        super().__init__()
        check_heads(dim, heads, dropout)
        check_activation(activation)
        check_impl(impl, get_args(Impl))
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.heads = heads
        self.negative_slope = negative_slope
        self.dropout = dropout
        self.activation = activation
        self.impl = impl
        self.project = TypedLinear(dim, 3 * dim, node_types)  # destination, source, own
        self.score_weight = nn.Parameter(torch.empty(len(relations), heads, dim // heads))
        nn.init.normal_(self.score_weight, std=(dim // heads) ** -0.5)
        self.edge_terms = EdgeTerms(relations, heads)

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        destination, source, own = self.project.split(states, batch.slices, 3)
        message = source.view(-1, self.heads, self.dim // self.heads)
        received = graph_attention(
            destination.view_as(message),
            message,
            message,
            batch.edges,
            score="additive",
            score_weight=in_batch_order(self.score_weight, self.relations, batch),
            negative_slope=self.negative_slope,
            dropout=self.dropout if self.training else 0.0,
            edge_bias=self.edge_terms.biases(batch),
            edge_gate=edge_gate(batch, self.heads),
            graph_id=batch.graph_id,
            num_graphs=batch.num_graphs,
            impl=self.impl,
        )
        return activate(self.activation, own + received.flatten(1))
