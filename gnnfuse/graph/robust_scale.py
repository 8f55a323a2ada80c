"""A scale of numeric targets that is robust to a few extreme values."""

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from gnnfuse.nodes.moments import ROUNDING, Moments

SHARE = 0.05  # of the values at either end may be anything
NORMAL = 3.2897072539029435  # standard deviations between these quantiles of a normal distribution


def robust_scale(values: Float64[Tensor, "rows"]) -> tuple[float, float]:
    """The median, and the range from the 5% to the 95% quantile in units of a normal distribution's deviation.

    Up to a twentieth of the values at each end may be of any size. The quartiles would tolerate a quarter, but their
    range is 0 or nearly so where half the values are equal (counts, prices), and all others would then be far away;
    clipped targets would bias predictions and metrics. If this range is 0 too, the mean and the standard deviation are
    taken (1 for a constant).

    Example:
        >>> import torch
        >>> centre, scale = robust_scale(torch.cat([torch.arange(-100.0, 101.0), torch.tensor([1e9])]).double())
        >>> round(centre, 2), round(scale)
        (0.5, 55)
    """
    nothing = ROUNDING * float(values.abs().max())
    low, middle, high = np.quantile(values.numpy(), (SHARE, 0.5, 1 - SHARE)).tolist()
    moments = Moments(1)
    moments.add(values.unsqueeze(1))
    mean, deviation = float(moments.mean), float(moments.scale)
    return (mean, deviation) if high - low <= nothing else (middle, (high - low) / NORMAL)
