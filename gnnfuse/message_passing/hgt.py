"""HGT: attention with separate keys and values for every relation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self, get_args

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
from gnnfuse.message_passing.typed_linear import TypedLinear, split_types
from gnnfuse.ops import graph_attention, relation_matmul
from gnnfuse.ops.attention.attention import Impl
from gnnfuse.ops.choose import check_impl

if TYPE_CHECKING:
    from torch_geometric.nn import HGTConv


class HGT(MessageLayer):
    """The heterogeneous graph transformer.

    Every node type t has maps to key, query and value (K, Q, V), an output map A and a skip weight; every relation r
    has, per head, a matrix for the keys, one for the values and a prior mu on the score. The softmax runs over all
    incoming edges of all relations:

        s_ij = mu_r (K_t(j) x_j) W_r . (Q_t(i) x_i) / sqrt(head_dim) + F_r f_ij
        m_i = sum_j w_ij softmax_j(s_ij) (V_t(j) x_j) M_r
        x_i <- sigmoid(skip_t(i)) A_t(i) gelu(m_i) + (1 - sigmoid(skip_t(i))) x_i

    An edge's features f (if its relation has any) bias the score, its weight w multiplies the message. Neither is in
    the paper. Prior and scale are multiplied into W, and keys and values are computed once per (relation, source), not
    per edge. A node without incoming edges has m = 0. Nodes of a type that no relation of the layer enters keep their
    state (PyTorch Geometric returns None for them).

    Source: Hu, Dong, Wang and Sun, "Heterogeneous Graph Transformer" (2020), https://arxiv.org/abs/2003.01332,
    section 3; the skip weight as in the authors' code; no relative temporal encoding.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the relations, in the order of their numbers.
        heads: attention heads; must divide `dim`.
        dropout: probability of dropping an entry of A's output.
        impl: which `graph_attention` to use.

    Raises:
        ValueError: `heads` does not divide `dim` or an unknown `impl`; in `forward`, a batch with node types or
            relations unknown to the layer.

    Example:
        >>> layer = HGT(8, ["text"], [Relation("text", "window", "text")], heads=2)
        >>> sum(p.numel() for p in layer.parameters())
        355
    """

    takes = frozenset({"weight", "features"})

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        heads: int = 4,
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
        self.dropout = dropout
        self.impl = impl
        self.project = TypedLinear(dim, 3 * dim, node_types)  # key, query, value
        shape = (len(relations), heads, dim // heads, dim // heads)
        self.key_matrix = nn.Parameter(_xavier(shape))
        self.value_matrix = nn.Parameter(_xavier(shape))
        self.prior = nn.Parameter(torch.ones(len(relations), heads))
        self.edge_terms = EdgeTerms(relations, heads)
        entered = {relation.dst for relation in self.relations}
        self.output = nn.ModuleDict({name: nn.Linear(dim, dim) for name in node_types if name in entered})
        self.skip = nn.ParameterDict({name: nn.Parameter(torch.ones(1)) for name in self.output})

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        projected = self.project.split(states, batch.slices, 3)
        key, query, value = (part.view(-1, self.heads, self.dim // self.heads) for part in projected)
        prior = (self.prior * (self.dim // self.heads) ** -0.5)[:, :, None, None]
        key_matrix = in_batch_order(self.key_matrix * prior, self.relations, batch)
        value_matrix = in_batch_order(self.value_matrix, self.relations, batch)
        received = graph_attention(
            query,
            relation_matmul(key, key_matrix, batch.relation_spans),
            relation_matmul(value, value_matrix, batch.relation_spans),
            batch.relation_edges,
            scale=1.0,
            edge_bias=self.edge_terms.biases(batch),
            edge_gate=edge_gate(batch, self.heads),
            graph_id=batch.graph_id,
            num_graphs=batch.num_graphs,
            impl=self.impl,
        )
        return self._skip(states, F.gelu(received.flatten(1)), batch)

    def _skip(
        self, states: Float[Tensor, "nodes dim"], message: Float[Tensor, "nodes dim"], batch: GraphBatch
    ) -> Float[Tensor, "nodes dim"]:
        before, received = split_types(states, batch.slices), split_types(message, batch.slices)
        after = []
        for name, state in before.items():
            if name in self.output:
                gate = self.skip[name].sigmoid()
                added = F.dropout(self.output[name](received[name]), self.dropout, self.training)
                state = torch.lerp(state, added.to(state.dtype), gate.to(state.dtype))
            after.append(state)
        return torch.cat(after)

    @classmethod
    def from_pyg(cls, conv: "HGTConv", *, impl: Impl = "auto") -> Self:
        """A layer with the weights, outputs and gradients of PyTorch Geometric's `HGTConv`.

        Node types and relations are those of its metadata; a batch may number them in any order. The class docstring
        describes types that no relation enters.

        Args:
            conv: the layer to copy; it is not changed.
            impl: which `graph_attention` to use.

        Raises:
            ValueError: the sizes in and out differ (the skip connection needs them equal), or are not known yet.

        Example:
            >>> from torch_geometric.nn import HGTConv
            >>> layer = HGT.from_pyg(HGTConv(8, 8, (["text"], [("text", "window", "text")]), heads=2))
            >>> layer.dim, layer.heads, layer.relations[0].rule
            (8, 2, 'window')
        """
        dim, heads = conv.out_channels, conv.heads
        other = {name: size for name, size in conv.in_channels.items() if size != dim}
        if other:
            name, size = next(iter(other.items()))
            raise ValueError(f"in_channels must be out_channels={dim} for every node type, found {size} for {name!r}")
        layer = cls(dim, conv.node_types, [Relation(*triple) for triple in conv.edge_types], heads=heads, impl=impl)
        weight = conv.k_rel.weight
        layer = layer.to(device=weight.device, dtype=weight.dtype)
        with torch.no_grad():
            for name in conv.node_types:
                layer.project.linears[name].load_state_dict(conv.kqv_lin.lins[name].state_dict())
            for name, linear in layer.output.items():
                linear.load_state_dict(conv.out_lin.lins[name].state_dict())
                layer.skip[name].copy_(conv.skip[name])
            # PyG numbers its matrices by head first, then by edge type.
            layer.key_matrix.copy_(conv.k_rel.weight.unflatten(0, (heads, -1)).transpose(0, 1))
            layer.value_matrix.copy_(conv.v_rel.weight.unflatten(0, (heads, -1)).transpose(0, 1))
            for place, triple in enumerate(conv.edge_types):
                layer.prior[place] = conv.p_rel["__".join(triple)][0]
        return layer


def _xavier(shape: tuple[int, ...]) -> Tensor:
    bound = (6 / (shape[-2] + shape[-1])) ** 0.5
    return torch.empty(shape).uniform_(-bound, bound)
