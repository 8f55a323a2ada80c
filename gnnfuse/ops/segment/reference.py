"""What the segment operators mean, in plain PyTorch; autograd gives the gradients."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def segment_reduce_reference(
    values: Float[Tensor, "items ..."], index: Int[Tensor, "items"], num_segments: int, reduce: str
) -> Float[Tensor, "num_segments ..."]:
    """Sum, mean, min or max of each segment; 0 where there is nothing to reduce."""
    zeros = values.new_zeros(num_segments, *values.shape[1:])
    if reduce == "sum":
        return zeros.index_add(0, index, values)
    if reduce == "mean":
        count = torch.bincount(index, minlength=num_segments).clamp(min=1).to(values.dtype)
        return zeros.index_add(0, index, values) / expand(count, values)
    return zeros.scatter_reduce(0, expand(index, values).expand_as(values), values, f"a{reduce}", include_self=False)


def segment_softmax_reference(
    scores: Float[Tensor, "items ..."], index: Int[Tensor, "items"], num_segments: int
) -> Float[Tensor, "items ..."]:
    """Exponentials that sum to 1 within each segment."""
    highest = segment_reduce_reference(scores.detach(), index, num_segments, "max")
    weights = (scores - highest.index_select(0, index)).exp()
    total = segment_reduce_reference(weights, index, num_segments, "sum")
    return weights / total.index_select(0, index)


def expand(index: Tensor, values: Tensor) -> Tensor:
    """`[items]` as `[items, 1, ...]`, to stand beside the values."""
    return index.reshape(-1, *(1 for _ in values.shape[1:]))
