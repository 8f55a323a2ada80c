"""NearestStates: a layer that also reads from the nodes with the nearest states."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gnnfuse.graph import GraphBatch, Relation
from gnnfuse.message_passing.check_states import check_states
from gnnfuse.message_passing.message_layer import LayerFactory, MessageLayer
from gnnfuse.message_passing.nearest_search import nearest
from gnnfuse.message_passing.relation_attention import RelationAttention
from gnnfuse.ops import Edges, edges_from_index

RULE = "nearest_states"


class NearestStates(MessageLayer):
    """A layer on the batch's edges plus edges from each node's k nearest, searched again in its input states.

    In every sample, each node gets edges from the k nodes of each type whose states are nearest to its own by Euclidean
    distance (the first win ties; never from itself), as relations (type, "nearest_states", type) of the wrapped layer.
    No gradient flows through the choice. The search goes block by block; no matrix of all pairs is in memory. A node
    alone in its sample gets no such edge. The new edges have a weight of 1 and no features. The number of edges depends
    on the data, so `torch.compile(fullgraph=True)` cannot compile this layer.

    Source: Wang et al., "Dynamic Graph CNN for Learning on Point Clouds" (2019), https://arxiv.org/abs/1801.07829,
    section 3.2.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        relations: the batch's relations, in the order of their numbers.
        k: edges into every node from every type; fewer if a sample has fewer nodes.
        layer: makes the wrapped layer from (dim, node type names, relations), where relations include the new ones.
        within: join nodes with nodes of their own type.
        across: join nodes with nodes of other types.

    Raises:
        ValueError: k below 1, neither `within` nor `across`, or a relation already named "nearest_states"; in
            `forward`, a batch with other relations or other node types.

    Example:
        >>> layer = NearestStates(8, ["image", "text"], [], k=3, across=False)
        >>> [str(relation) for relation in layer.wrapped.relations]
        ['image-nearest_states-image', 'text-nearest_states-text']
    """

    def __init__(
        self,
        dim: int,
        node_types: Sequence[str],
        relations: Sequence[Relation],
        *,
        k: int = 4,
        layer: LayerFactory = RelationAttention,
        within: bool = True,
        across: bool = True,
    ) -> None:
        super().__init__()
        if k < 1 or not (within or across):
            raise ValueError(f"expected k of at least 1 and within or across, found {k=}, {within=}, {across=}")
        taken = [relation for relation in relations if relation.rule == RULE]
        if taken:
            raise ValueError(f"relations must not be called {RULE!r} yet, found {taken[0]}")
        self.dim = dim
        self.node_types = tuple(node_types)
        self.relations = tuple(relations)
        self.k = k
        self.layer = layer
        self.within = within
        self.across = across
        self.found = tuple(
            Relation(src, RULE, dst)
            for src in self.node_types
            for dst in self.node_types
            if (within if src == dst else across)
        )
        self.wrapped = layer(dim, self.node_types, (*self.relations, *self.found))
        self.takes = self.wrapped.takes

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out."""
        check_states(states, self.dim, self)
        if set(batch.node_types) != set(self.node_types):
            expected = ", ".join(self.node_types)
            raise ValueError(f"expected node types {expected}, the batch has {', '.join(batch.node_types)}")
        after: Tensor = self.wrapped(states, self.extended(states, batch))
        return after

    def extended(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> GraphBatch:
        """The batch with edges from the nearest nodes added."""
        ends = [self._search(states.detach(), batch, relation) for relation in self.found]
        lengths = torch.tensor([pairs.shape[1] for pairs in ends], device=batch.device)
        number = torch.arange(len(ends), device=batch.device).repeat_interleave(lengths) + len(batch.relations)
        edges = joined(batch.edges, torch.cat(ends, dim=1), number)
        weight = batch.edge_weight
        if weight is not None:  # new relations have higher numbers: the batch's own edges keep their order
            own = edges.relation < len(batch.relations)
            weight = weight.new_ones(edges.num_edges).masked_scatter(own, weight)
        relations = (*batch.relations, *self.found)
        return replace(batch, edges=edges, relations=relations, edge_weight=weight, edge_order=None)

    def _search(self, states: Tensor, batch: GraphBatch, relation: Relation) -> Int[Tensor, "2 edges"]:
        src, dst = batch.slices[relation.src], batch.slices[relation.dst]
        offsets = batch.layout[relation.src].offsets, batch.layout[relation.dst].offsets
        same = relation.src == relation.dst
        pairs = nearest(states[src], states[dst], *offsets, k=self.k, without_self=same)
        return pairs + torch.tensor([[src.start], [dst.start]], device=pairs.device)


def joined(edges: Edges, pairs: Int[Tensor, "2 new"], relation: Int[Tensor, "new"]) -> Edges:
    """The edges and new ones, given as (source, destination) and relation, in one sorted list."""
    return edges_from_index(
        torch.cat([edges.src, pairs[0]]),
        torch.cat([edges.dst(), pairs[1]]),
        torch.cat([edges.relation, relation]),
        num_nodes=edges.num_nodes,
    )
