"""Sine and cosine features of a node's position: on a grid, in time, in a sequence."""

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn


class PositionEncoding(nn.Module):
    """Sines and cosines of coordinates at geometrically spaced periods, mapped to `dim` by a learned linear map.

    Source: Vaswani et al., "Attention Is All You Need" (2017), section 3.5, on real coordinates.

    Args:
        dim: size of the result.
        coordinates: number of coordinates per node.
        periods: shortest and longest period, in the coordinates' own unit.
        frequencies: number of periods per coordinate.

    Example:
        >>> PositionEncoding(16, coordinates=2)(torch.rand(5, 2)).shape
        torch.Size([5, 16])
    """

    rates: Tensor

    def __init__(
        self, dim: int, *, coordinates: int, periods: tuple[float, float] = (0.125, 4.0), frequencies: int = 8
    ) -> None:
        super().__init__()
        self.dim = dim
        self.coordinates = coordinates
        self.periods = periods
        self.frequencies = frequencies
        shortest, longest = periods
        steps = torch.linspace(0, 1, frequencies)
        rates = 2 * math.pi / (longest * (shortest / longest) ** steps)
        self.register_buffer("rates", rates, persistent=False)
        self.linear = nn.Linear(2 * frequencies * coordinates, dim, bias=False)

    def forward(self, position: Real[Tensor, "nodes coordinates"]) -> Float[Tensor, "nodes dim"]:
        """Positions in, vectors out."""
        angle = position.unsqueeze(-1) * self.rates
        features = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1)
        encoded: Tensor = self.linear(features.to(self.linear.weight.dtype))
        return encoded
