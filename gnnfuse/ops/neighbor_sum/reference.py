"""Defines `neighbor_sum` in plain PyTorch; autograd computes the gradients."""

import torch
from torch import Tensor

from gnnfuse.ops.edges import Edges


def neighbor_sum_reference(value: Tensor, edges: Edges, weight: Tensor | None, reduce: str) -> Tensor:
    """Gather, weight, reduce; among equal maxima the first edge counts."""
    dst = edges.dst()
    message = value.index_select(0, edges.src)
    if weight is not None:
        message = message * weight[:, None]
    zeros = value.new_zeros(edges.num_nodes, value.shape[1])
    if reduce == "max":
        return message_of_highest(message, dst, zeros)
    total = zeros.index_add(0, dst, message)
    return total if reduce == "sum" else total / edges.offsets.diff().clamp(min=1)[:, None]


def message_of_highest(message: Tensor, dst: Tensor, zeros: Tensor) -> Tensor:
    """Each node's highest message per column, 0 without edges; the first of equal ones gets the gradient."""
    index = dst[:, None].expand_as(message)
    highest = zeros.scatter_reduce(0, index, message.detach(), "amax", include_self=False)
    # NaN exceeds every number but equals nothing, so it is found by isnan.
    found = highest.index_select(0, dst)
    is_highest = (message.detach() == found) | (message.detach().isnan() & found.isnan())
    edge = torch.arange(len(message), device=message.device)[:, None].expand_as(message)
    first = torch.full_like(index[:0], 0).new_full(zeros.shape, len(message))
    first = first.scatter_reduce(0, index, edge.where(is_highest, len(message)), "amin")
    padded = torch.cat([message, message.new_zeros(1, message.shape[1])])
    return padded.gather(0, first)
