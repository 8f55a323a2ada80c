"""What `graph_attention` means, in plain PyTorch; autograd gives the gradients.

Letters of the suffixes: E edges, N nodes, H heads.
"""
# ruff: noqa: N806 - the capitals are shape suffixes

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.ops.edges import Edges


def graph_attention_reference(
    query: Float[Tensor, "nodes heads head_dim"],
    key: Float[Tensor, "rows heads head_dim"],
    value: Float[Tensor, "rows heads value_dim"],
    edges: Edges,
    relation_bias: Float[Tensor, "relations heads"] | None,
    relation_gate: Float[Tensor, "relations heads"] | None,
    scale: float,
) -> Float[Tensor, "nodes heads value_dim"]:
    """The formula, one line after the other, on any device and in one floating dtype."""
    nodes, heads, _ = query.shape
    dst = edges.dst()
    score_EH = scale * (query.index_select(0, dst) * key.index_select(0, edges.src)).sum(-1)
    if relation_bias is not None:
        score_EH = score_EH + relation_bias.index_select(0, edges.relation)

    # Taking a node's highest score off all its scores changes no weight, so no gradient goes through it.
    index_EH = dst[:, None].expand_as(score_EH)
    highest_NH = score_EH.new_full((nodes, heads), -torch.inf)
    highest_NH = highest_NH.scatter_reduce(0, index_EH, score_EH.detach(), "amax")
    weight_EH = (score_EH - highest_NH.index_select(0, dst)).exp()
    total_NH = weight_EH.new_zeros(nodes, heads).index_add(0, dst, weight_EH)
    weight_EH = weight_EH / total_NH.index_select(0, dst)

    if relation_gate is not None:
        weight_EH = weight_EH * relation_gate.index_select(0, edges.relation)
    message = weight_EH[:, :, None] * value.index_select(0, edges.src)
    return message.new_zeros(nodes, heads, value.shape[2]).index_add(0, dst, message)
