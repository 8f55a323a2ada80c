"""The segment operators by the torch-scatter package, which is imported when they run.

torch-scatter does not look whether an index lies in range before it writes; this file does.
"""

from jaxtyping import Float, Int
from torch import Tensor


def segment_reduce_torch_scatter(
    values: Float[Tensor, "items ..."], index: Int[Tensor, "items"], num_segments: int, reduce: str
) -> Float[Tensor, "num_segments ..."]:
    """As the reference, but for two things of "min" and "max".

    Of equal extremes one alone gets the gradient, where the reference shares it; a NaN may be passed over, as
    every comparison with it is false.
    """
    import torch_scatter

    check_range(index, num_segments)
    out: Tensor = torch_scatter.scatter(values, index, dim=0, dim_size=num_segments, reduce=reduce)
    return out


def segment_softmax_torch_scatter(
    scores: Float[Tensor, "items ..."], index: Int[Tensor, "items"], num_segments: int
) -> Float[Tensor, "items ..."]:
    """As the reference."""
    import torch_scatter

    check_range(index, num_segments)
    out: Tensor = torch_scatter.composite.scatter_softmax(scores, index, dim=0, dim_size=num_segments)
    return out


def check_range(index: Tensor, num_segments: int) -> None:
    """Raise ValueError for an index beside the segments."""
    low, high = (int(end) for end in index.aminmax()) if len(index) else (0, -1)
    if low < 0 or high >= num_segments:
        raise ValueError(f"index must lie in 0..{num_segments - 1}, found {low}..{high}")
