"""SAGE: means of neighbours along each relation, and the node's own state."""

from collections.abc import Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing.activation import Activation, activate, check_activation
from gnnfuse.message_passing.check_states import check_dim, check_states
from gnnfuse.message_passing.edge_terms import EdgeTerms
from gnnfuse.message_passing.message_layer import MessageLayer
from gnnfuse.message_passing.relation_mean import relation_mean
from gnnfuse.message_passing.relation_tables import in_batch_order
from gnnfuse.message_passing.typed_linear import TypedLinear
from gnnfuse.ops.choose import check_impl
from gnnfuse.ops.neighbor_sum.neighbor_sum import Impl


class SAGE(MessageLayer):
    """GraphSAGE with the mean aggregator, one map per relation and one per node type for the node itself.

        x_i <- act(V_t(i) x_i + b_t(i) + sum_r mean_{j in N_r(i)} w_ij (W_r x_j + F_r f_ij))

    with the weights w and features f of edges, where they have any (neither is in the paper).

    Without activation it equals PyTorch Geometric's `HeteroConv` of `SAGEConv`s (aggr="sum"), whose maps of the node
    itself add up to one V per type. A node without edges gets act(V x + b).

    Source: Hamilton, Ying and Leskovec, "Inductive Representation Learning on Large Graphs" (2017),
    https://arxiv.org/abs/1706.02216, algorithm 1; written for one relation, without the normalisation of its line 7.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        activation: "relu", as published, "elu", "gelu", or None.
        impl: which `neighbor_sum` to use.

    Raises:
        ValueError: an unknown activation or `impl`; in `forward`, a batch with node types or relations unknown to the
            layer.

    Example:
        >>> layer = SAGE(8, ["text"], [Relation("text", "window", "text")])
        >>> sum(p.numel() for p in layer.parameters())
        136
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
        self.own = TypedLinear(dim, dim, node_types)
        self.neighbours = nn.Parameter(torch.empty(len(relations), dim, dim))
        for matrix in self.neighbours:
            nn.init.xavier_uniform_(matrix)
        self.edge_terms = EdgeTerms(relations, dim)

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        weight = in_batch_order(self.neighbours, self.relations, batch)
        received = relation_mean(states, weight, batch, self.edge_terms, impl=self.impl)
        return activate(self.activation, self.own(states, batch.slices) + received)
