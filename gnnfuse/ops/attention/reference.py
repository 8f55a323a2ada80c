"""Defines `graph_attention` in plain PyTorch; autograd computes the gradients.

Letters of the suffixes: E edges, N nodes, H heads, D head_dim.
"""
# ruff: noqa: N806 - the capitals are shape suffixes

import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.ops.attention.dropout import kept
from gnnfuse.ops.attention.inputs import AttentionInputs


def graph_attention_reference(inputs: AttentionInputs) -> tuple[Tensor, Tensor]:
    """The formula, one line after the other, on any device and in one floating dtype: output and softmax weights."""
    query, key, value, edges, score_weight, edge_bias, relation_bias, relation_gate, edge_gate, seed, *_ = inputs
    scale, negative_slope, dropout = inputs.scale, inputs.negative_slope, inputs.dropout
    nodes, heads, _ = query.shape
    dst, src, relation = edges.dst(), edges.src, edges.relation
    query_EHD, key_EHD = query.index_select(0, dst), key.index_select(0, src)
    if score_weight is None:
        score_EH = scale * (query_EHD * key_EHD).sum(-1)
    else:
        joined_EHD = F.leaky_relu(query_EHD + key_EHD, negative_slope)
        score_EH = scale * (score_weight.index_select(0, relation) * joined_EHD).sum(-1)
    if edge_bias is not None:
        score_EH = score_EH + edge_bias
    if relation_bias is not None:
        score_EH = score_EH + relation_bias.index_select(0, relation)

    # Subtracting a node's highest score from all its scores changes no weight, so no gradient flows through it.
    index_EH = dst[:, None].expand_as(score_EH)
    highest_NH = score_EH.new_full((nodes, heads), -torch.inf)
    highest_NH = highest_NH.scatter_reduce(0, index_EH, score_EH.detach(), "amax")
    highest_NH = highest_NH.masked_fill(highest_NH == -torch.inf, 0)  # every edge silenced: weights of 0, not NaN
    weight_EH = (score_EH - highest_NH.index_select(0, dst)).exp()
    total_NH = weight_EH.new_zeros(nodes, heads).index_add(0, dst, weight_EH)
    weight_EH = weight_EH / total_NH.masked_fill(total_NH == 0, 1).index_select(0, dst)

    message_EH = weight_EH
    if seed is not None:
        message_EH = message_EH * kept(seed, edges.num_edges, heads, dropout) / (1 - dropout)
    if relation_gate is not None:
        message_EH = message_EH * relation_gate.index_select(0, relation)
    if edge_gate is not None:
        message_EH = message_EH * edge_gate
    message_EHD = message_EH[:, :, None] * value.index_select(0, src)
    return message_EHD.new_zeros(nodes, heads, value.shape[2]).index_add(0, dst, message_EHD), weight_EH
