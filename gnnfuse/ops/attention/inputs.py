"""The arguments of every implementation of `graph_attention`, checked and with defaults filled in."""

from typing import NamedTuple

from torch import Tensor

from gnnfuse.ops.edges import Edges


class AttentionInputs(NamedTuple):
    """The arguments of `graph_attention`; tensors that were not given are None.

    Args:
        query: `[nodes, heads, head_dim]`.
        key: `[rows, heads, head_dim]`.
        value: `[rows, heads, value_dim]`.
        edges: from rows into nodes.
        score_weight: `[relations, heads, head_dim]` for the additive score, None for the dot product.
        edge_bias: `[edges, heads]`.
        relation_bias: `[relations, heads]`.
        relation_gate: `[relations, heads]`.
        edge_gate: `[edges, heads]`.
        seed: int64 `[1]` where dropout is above 0.
        scale: factor of the scores before the biases.
        negative_slope: of the additive score's leaky ReLU.
        dropout: probability of dropping a weight.
        graph_id: int64 `[nodes]`, the graph of each node; None if there is one graph.
        num_graphs: number of graphs; 1 without graph_id.
        return_weights: whether the caller wants the weights; an implementation may return them anyway.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    edges: Edges
    score_weight: Tensor | None
    edge_bias: Tensor | None
    relation_bias: Tensor | None
    relation_gate: Tensor | None
    edge_gate: Tensor | None
    seed: Tensor | None
    scale: float
    negative_slope: float
    dropout: float
    graph_id: Tensor | None = None
    num_graphs: int = 1
    return_weights: bool = True
