"""`graph_attention` over nearly complete graphs: matrices of all pairs of a graph's nodes, edge or not.

Two ways, by what is asked for:

- PyTorch's scaled_dot_product_attention with the edges' biases as its mask: no gate, no dropout, no bias that needs a
  gradient, no weights to give back, no two edges between one node and one row, and not under torch.compile, as the
  sizes of the masks follow from data.
- Else `dense_operator`, matrix products and a softmax of ours: one operator to torch.compile.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.ops.attention.dense_layout import DenseLayout, lay_out
from gnnfuse.ops.attention.dense_operator import forward
from gnnfuse.ops.attention.inputs import AttentionInputs


def graph_attention_dense(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """As the reference, for the dot product; but NaN or infinity in one row reaches every node of its graph."""
    if inputs.score_weight is not None:
        raise ValueError(
            "impl='dense' takes score='dot', found score='additive', which needs head_dim numbers for every pair of "
            "nodes; use another impl"
        )
    edges = inputs.edges
    lists = [edges.offsets, edges.src, edges.relation, edges.transpose.offsets, edges.transpose.dst]
    if only_masked(inputs):
        layout = lay_out(inputs.graph_id, inputs.num_graphs, lists, inputs.query.shape[1])
        if not layout.joins_a_pair_twice():
            with torch.autocast(inputs.query.device.type, enabled=False):
                return masked_attention(inputs, layout), inputs.query.new_empty(0, inputs.query.shape[1])
    result: tuple[Tensor, Tensor] = forward(
        inputs.query, inputs.key, inputs.value, inputs.edge_bias, inputs.relation_bias, inputs.relation_gate,
        inputs.seed, inputs.graph_id, lists, inputs.num_graphs, inputs.scale, inputs.dropout, inputs.return_weights,
    )  # fmt: skip
    return result


def only_masked(inputs: AttentionInputs) -> bool:
    """Whether a fixed mask says all there is to say, as far as can be known without looking at the edges."""
    biases = [bias for bias in (inputs.edge_bias, inputs.relation_bias) if bias is not None]
    if torch.compiler.is_compiling() or inputs.return_weights or inputs.edges.num_edges == 0:
        return False
    learned = torch.is_grad_enabled() and any(bias.requires_grad for bias in biases)
    return inputs.relation_gate is None and inputs.seed is None and not learned


def masked_attention(inputs: AttentionInputs, layout: DenseLayout) -> Tensor:
    """The output by scaled_dot_product_attention, where each edge has a pair of its own."""
    query, key, value, edges = inputs[:4]
    bias = query.new_zeros(edges.num_edges, 1) if inputs.edge_bias is None else inputs.edge_bias
    if inputs.relation_bias is not None:
        bias = bias + inputs.relation_bias.index_select(0, edges.relation)
    masks = layout.cut_pairs(layout.place_pairs(bias, layout.pair, -torch.inf))
    blocks = layout.pad_nodes(query), layout.pad_rows(key), layout.pad_rows(value), masks
    return layout.take_nodes([attend(*block, inputs.scale) for block in zip(*blocks, strict=True)])


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """`[heads, graphs, nodes, value_dim]` of one block; zeros where the mask leaves a node nothing."""
    silent = (mask == -torch.inf).all(-1, keepdim=True)
    graphs_first = (tensor.transpose(0, 1) for tensor in (query, key, value, mask.masked_fill(silent, 0)))
    query, key, value, mask = graphs_first
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    return out.transpose(0, 1).masked_fill(silent, 0)
