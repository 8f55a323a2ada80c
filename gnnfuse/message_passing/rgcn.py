"""RGCN: relational graph convolution, with matrices that relations may share."""

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
from gnnfuse.ops.choose import check_impl
from gnnfuse.ops.neighbor_sum.neighbor_sum import Impl


class RGCN(MessageLayer):
    """Relational graph convolution: one map per relation on the mean of its neighbours, one for the node itself.

        x_i <- act(W_0 x_i + b + sum_r mean_{j in N_r(i)} w_ij (W_r x_j + F_r f_ij))
        W_r = sum_b c_rb B_b with `num_bases`

    with the weights w and features f of edges, where they have any (neither is in the paper).

    Node types are ignored, as published. Without activation it equals PyTorch Geometric's `RGCNConv` (aggr="mean"). A
    node without edges gets act(W_0 x + b).

    Source: Schlichtkrull et al., "Modeling Relational Data with Graph Convolutional Networks" (2018),
    https://arxiv.org/abs/1703.06103, equations 2 and 3.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        num_bases: number of matrices B that the relations share; None gives each relation its own W.
        activation: "relu", as published, "elu", "gelu", or None.
        impl: which `neighbor_sum` to use.

    Raises:
        ValueError: `num_bases` below 1 or an unknown activation or `impl`; in `forward`, a batch with relations
            unknown to the layer.

    Example:
        >>> layer = RGCN(8, ["text"], [Relation("text", "window", "text")], num_bases=2)
        >>> sum(p.numel() for p in layer.parameters())
        202
    """

    takes = frozenset({"weight", "features"})

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        num_bases: int | None = None,
        activation: Activation | None = "relu",
        impl: Impl = "auto",
    ) -> None:
        super().__init__()
        check_dim(dim)
        check_activation(activation)
        if num_bases is not None and num_bases < 1:
            raise ValueError(f"num_bases must be at least 1 or None, found {num_bases}")
        check_impl(impl, get_args(Impl))
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.num_bases = num_bases
        self.activation = activation
        self.impl = impl
        self.own = nn.Linear(dim, dim)
        self.neighbours = nn.Parameter(torch.empty(num_bases or len(relations), dim, dim))
        for matrix in self.neighbours:
            nn.init.xavier_uniform_(matrix)
        shares = None if num_bases is None else nn.init.xavier_uniform_(torch.empty(len(relations), num_bases))
        self.shares = None if shares is None else nn.Parameter(shares)
        self.edge_terms = EdgeTerms(relations, dim)

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        weight = in_batch_order(self._weight(), self.relations, batch)
        received = relation_mean(states, weight, batch, self.edge_terms, impl=self.impl)
        return activate(self.activation, self.own(states) + received)

    def _weight(self) -> Float[Tensor, "relations dim dim"]:
        if self.shares is None:
            return self.neighbours
        return torch.einsum("rb,bio->rio", self.shares, self.neighbours)
