"""The segment operators by the torch-scatter package, which is imported when they run.

torch-scatter does not check whether an index is in range before it writes; `segment_reduce` does.
"""

import torch
from torch import Tensor


def segment_reduce_torch_scatter(
    values: Tensor, place: Tensor, num_segments: int, reduce: str, is_sorted: bool
) -> Tensor:
    """As the reference, with three exceptions for "min" and "max".

    Among equal extremes any one may get the gradient, where the reference takes the first; NaN may be skipped, as every
    comparison with it is false; and the maximum of a segment of only -inf is 0 (by an index) or the lowest finite
    number (by offsets), likewise the minimum of one of only inf.
    """
    import torch_scatter

    if reduce == "logsumexp":
        index = place if not is_sorted else torch.repeat_interleave(place.diff(), output_size=len(values))
        return logsumexp(values, index, num_segments)
    if is_sorted:
        out: Tensor = torch_scatter.segment_csr(values, place, reduce=reduce)
        return out
    out = torch_scatter.scatter(values, place.long(), dim=0, dim_size=num_segments, reduce=reduce)
    return out


def logsumexp(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """Computed from maximum and sum: the package's own adds a constant to the sum, which distorts small ones."""
    import torch_scatter

    index = index.long()
    highest, _ = torch_scatter.scatter_max(values.detach(), index, dim=0, dim_size=num_segments)
    shift = highest.masked_fill(highest.isinf(), 0)
    exponentials = (values - shift.index_select(0, index)).exp()
    total: Tensor = torch_scatter.scatter_sum(exponentials, index, dim=0, dim_size=num_segments)
    return torch.where(total == 0, -torch.inf, shift + total.masked_fill(total == 0, 1).log())


def segment_softmax_torch_scatter(scores: Tensor, place: Tensor, num_segments: int, is_sorted: bool) -> Tensor:
    """As the reference, but NaN for segments whose scores are all -inf."""
    import torch_scatter

    index = place.long() if not is_sorted else torch.repeat_interleave(place.diff(), output_size=len(scores))
    out: Tensor = torch_scatter.composite.scatter_softmax(scores, index, dim=0, dim_size=num_segments)
    return out
