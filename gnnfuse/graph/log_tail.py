"""A logarithm for the long tail of a skewed numeric target."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from torch import Tensor

SKEWED = 1.0  # an exponential distribution has 2, a normal one 0
UNITS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of the distances that are tried as unit


@dataclass(frozen=True)
class LogTail:
    """The increasing function `log(1 + x)` with `x = (value - about) / unit`, and its inverse.

    It is `log1p` for x from 0 to `reach`, and straight on either side, with the slope that it has there. A prediction
    beyond all training values then grows linearly, not exponentially. With a negative unit the tail is below: the
    function is `-log(1 + x)`.

    Args:
        about: the value that becomes 0, at which the tail begins.
        unit: the distance from it at which the logarithm takes over; negative if the tail is below.
        reach: the largest x in training; 0 or more.

    Raises:
        ValueError: a unit of 0, a negative reach, or an argument that is not finite.

    Example:
        >>> import torch
        >>> log = LogTail(about=0.0, unit=10.0, reach=3.0)
        >>> (log.forward(torch.tensor([-10.0, 0.0, 10.0, 30.0]).double()) / math.log(2)).round(decimals=3).tolist()
        [-1.443, 0.0, 1.0, 2.0]
        >>> log.inverse(log.forward(torch.tensor([1000.0]).double())).tolist()
        [1000.0]
    """

    about: float
    unit: float
    reach: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.about) and math.isfinite(self.unit) and self.unit and 0 <= self.reach < math.inf):
            raise ValueError(f"found {self}, expected finite numbers, a unit other than 0 and a reach of 0 or more")

    def forward(self, values: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
        """The values transformed."""
        far = (values - self.about) / self.unit
        within = far.clamp(0, self.reach)
        beyond = (far - within).clamp(min=0) / (1 + self.reach)
        return math.copysign(1, self.unit) * (far.clamp(max=0) + within.log1p() + beyond)

    def inverse(self, transformed: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
        """The values in their own unit again."""
        far = math.copysign(1, self.unit) * transformed
        within = far.clamp(0, math.log1p(self.reach))
        beyond = (far - within).clamp(min=0) * (1 + self.reach)
        return (far.clamp(max=0) + within.expm1() + beyond) * self.unit + self.about

    @classmethod
    def fit(cls, values: Float64[Tensor, "rows"]) -> "LogTail | None":
        """The transformation for skewed values; None if they are not skewed, or it would not halve their skewness.

        Values are skewed if their skewness is above 1, then the tail begins at the smallest, or below -1, then it
        begins at the largest. The unit is the quantile of the distances from there that leaves the least skewness.
        """
        before = skewness(values)
        if not abs(before) > SKEWED:
            return None
        about = values.min() if before > 0 else values.max()
        far = (values - about).abs()
        units = np.unique(np.quantile(far[far > 0].numpy(), UNITS)).tolist()
        largest = float(far.max())
        found = [cls(float(about), math.copysign(unit, before), largest / unit) for unit in units]
        best = min(found, key=lambda each: abs(skewness(each.forward(values))))
        return best if abs(skewness(best.forward(values))) < abs(before) / 2 else None


def skewness(values: Float64[Tensor, "rows"]) -> float:
    """The mean cubed deviation over the cubed standard deviation; 0 if the values are equal.

    Example:
        >>> import torch
        >>> skewness(torch.tensor([0.0, 0.0, 0.0, 4.0], dtype=torch.float64)) > 1
        True
    """
    off = values - values.mean()
    deviation = off.square().mean().sqrt()
    return float((off / deviation).pow(3).mean()) if deviation > 0 else 0.0
