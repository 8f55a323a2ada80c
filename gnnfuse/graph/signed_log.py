"""A logarithm for skewed numeric targets."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from torch import Tensor

SKEWED = 1.0  # an exponential distribution has 2, a normal one 0
UNITS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of the distances that are tried as unit


@dataclass(frozen=True)
class SignedLog:
    """The monotone function `sign(x) log(1 + |x|)` with `x = (value - about) / unit`, and its inverse.

    It is `log1p` for values above `about`, defined for all others too, and nearly linear within one unit. About the
    smallest value it draws in a long upper tail, about the largest a long lower one.

    Args:
        about: the value that becomes 0.
        unit: the distance from it at which the logarithm takes over; above 0.

    Raises:
        ValueError: a unit that is not above 0 and finite, or a value that is not finite.

    Example:
        >>> import torch
        >>> log = SignedLog(about=0.0, unit=10.0)
        >>> (log.forward(torch.tensor([-10.0, 0.0, 30.0], dtype=torch.float64)) / math.log(2)).tolist()
        [-1.0, 0.0, 2.0]
    """

    about: float
    unit: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.about) and 0 < self.unit < math.inf):
            raise ValueError(f"found {self}, expected a finite value and a unit above 0")

    def forward(self, values: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
        """The values transformed."""
        off = (values - self.about) / self.unit
        return off.sign() * off.abs().log1p()

    def inverse(self, transformed: Float64[Tensor, "..."]) -> Float64[Tensor, "..."]:
        """The values in their own unit again."""
        return transformed.sign() * transformed.abs().expm1() * self.unit + self.about

    @classmethod
    def fit(cls, values: Float64[Tensor, "rows"]) -> "SignedLog | None":
        """The transformation for skewed values; None if they are not skewed, or it would not halve their skewness.

        Values are skewed if their skewness is above 1, then the transformation is about the smallest, or below -1, then
        it is about the largest. The unit is the quantile of the distances from there that leaves the least skewness.
        """
        before = skewness(values)
        if not abs(before) > SKEWED:
            return None
        about = values.min() if before > 0 else values.max()
        far = (values - about).abs()
        units = np.unique(np.quantile(far[far > 0].numpy(), UNITS)).tolist()
        found = [cls(float(about), unit) for unit in units]
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
