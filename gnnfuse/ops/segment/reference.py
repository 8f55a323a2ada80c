"""Defines the segment operators in plain PyTorch; autograd computes the gradients."""

import torch
from torch import Tensor


def segment_reduce_reference(values: Tensor, index: Tensor, num_segments: int, reduce: str) -> Tensor:
    """Reduce each segment; 0 for a segment without items, and -inf for the logarithm of its sum."""
    zeros = values.new_zeros(num_segments, *values.shape[1:])
    if reduce == "sum":
        return zeros.index_add(0, index, values)
    if reduce == "mean":
        count = torch.bincount(index, minlength=num_segments).clamp(min=1).to(values.dtype)
        return zeros.index_add(0, index, values) / expand(count, values)
    if reduce == "logsumexp":
        shift = shifts(values, index, num_segments)
        total = zeros.index_add(0, index, (values - shift.index_select(0, index)).exp())
        # Where the total is 0 its logarithm is -inf, and no gradient flows.
        return torch.where(total == 0, -torch.inf, shift + total.masked_fill(total == 0, 1).log())
    return first_extremes(values, index, num_segments, reduce)


def segment_softmax_reference(scores: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """Exponentials that sum to 1 within each segment; 0 where all of its scores are -inf."""
    weights = (scores - shifts(scores, index, num_segments).index_select(0, index)).exp()
    total = segment_reduce_reference(weights, index, num_segments, "sum")
    return weights / total.masked_fill(total == 0, 1).index_select(0, index)


def first_extremes(values: Tensor, index: Tensor, num_segments: int, reduce: str) -> Tensor:
    """Min or max; among equal items the first gets the gradient."""
    extreme = extremes(values, index, num_segments, reduce).index_select(0, index)
    # NaN beats every number but equals nothing, so it is found by isnan.
    is_extreme = (values.detach() == extreme) | (values.detach().isnan() & extreme.isnan())
    item = expand(torch.arange(len(values), device=values.device), values).expand_as(values)
    place = item.where(is_extreme, len(values))
    first = item.new_full((num_segments, *values.shape[1:]), len(values))
    first = first.scatter_reduce(0, expand(index, values).expand_as(values), place, "amin")
    padded = torch.cat([values, values.new_zeros(1, *values.shape[1:])])
    return padded.gather(0, first)


def extremes(values: Tensor, index: Tensor, num_segments: int, reduce: str) -> Tensor:
    """Min or max of each segment without a gradient; 0 without items."""
    zeros = values.new_zeros(num_segments, *values.shape[1:])
    where = expand(index, values).expand_as(values)
    return zeros.scatter_reduce(0, where, values.detach(), f"a{reduce}", include_self=False)


def shifts(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """The numbers subtracted from exponents: the highest of each segment, or 0 if it is infinite.

    It cancels out, so no gradient goes through it.
    """
    highest = extremes(values, index, num_segments, "max")
    return highest.masked_fill(highest.isinf(), 0)


def expand(index: Tensor, values: Tensor) -> Tensor:
    """`[items]` as `[items, 1, ...]`, to broadcast with the values."""
    return index.reshape(-1, *(1 for _ in values.shape[1:]))
