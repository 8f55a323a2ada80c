"""SimMIM: one weighted sum of neighbours, each mapped by its type's matrix."""

from collections.abc import Sequence
from typing import get_args

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing.activation import Activation, activate, check_activation
from gnnfuse.message_passing.check_states import check_dim, check_states
from gnnfuse.message_passing.edge_terms import EdgeTerms, edge_gate
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.typed_linear import TypedLinear
from gnnfuse.ops import graph_attention
from gnnfuse.ops.attention.attention import Impl
from gnnfuse.ops.choose import check_impl


class SimMIM(MessageLayer):
    """A simple interaction of modalities: a node adds its neighbours' mapped states, weighted by their scores.

        x_i <- act(W x_i + b + sum_{j in N(i)} w_ij alpha(x_j) W_t(j) x_j)
        alpha(x_j) = exp(a_t(j) . x_j) / sum_{l in N(i)} exp(a_t(l) . x_l)

    The score in alpha depends only on the neighbour, not on the receiving node (an edge's features, if its relation has
    any, are mapped to a number that is added to it); an edge's weight w multiplies the message; alpha is normalised
    over the node's neighbourhood, so that the sum's magnitude does not grow with the number of neighbours. W is one map
    for all nodes, W_t one per neighbour type, whatever the relation. A node without neighbours gets act(W x + b).
    Readouts join the modalities' summaries: `JoinedReadout`, (x + y) / sqrt(2), and `InteractionReadout`, phi(x) +
    phi(y) + phi(G(x, y)).

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations; only features of edges are mapped by relation.
        activation: the function act: "relu", "elu", "gelu", or None.
        impl: which `graph_attention` to use.

    Raises:
        ValueError: an unknown activation or `impl`; in `forward`, a batch with node types unknown to the layer.

    Example:
        >>> layer = SimMIM(8, ["image", "text"], [Relation("image", "aligned", "text")])
        >>> sum(p.numel() for p in layer.parameters())
        216
    """

    takes = frozenset({"weight", "features"})

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        activation: Activation | None = "relu",
        impl: Impl = "auto",
    ) -> None:
        super().__init__()
        check_dim(dim)
        check_activation(activation)
        check_impl(impl, get_args(Impl))
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.activation = activation
        self.impl = impl
        self.own = nn.Linear(dim, dim)
        self.edge_terms = EdgeTerms(relations, 1)
        self.neighbours = TypedLinear(dim, dim + 1, node_types, bias=False)  # W_t x, and the score a_t . x

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        message, score = self.neighbours(states, batch.slices).unsqueeze(1).split([self.dim, 1], dim=2)
        # A query of 1 leaves the key as the score.
        received = graph_attention(
            score.new_ones(score.shape),
            score,
            message,
            batch.edges,
            scale=1.0,
            edge_bias=self.edge_terms.biases(batch),
            edge_gate=edge_gate(batch, 1),
            graph_id=batch.graph_id,
            num_graphs=batch.num_graphs,
            impl=self.impl,
        )
        return activate(self.activation, self.own(states) + received.squeeze(1))
