"""Streaming mean and deviation of columns of numbers, for fitting feature and target scales."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

BLOCK = 1 << 20  # numbers buffered before they are summed
ROUNDING = 1e-14  # relative to a column's largest number: a smaller spread may be rounding
PARTS = 4096  # tensors buffered at most, since each has overhead


class Moments:
    """Running mean and standard deviation per column, in float64, without keeping the rows.

    Blocks of rows are summed and merged (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", 1982), after subtracting each column's first number, so that an offset does not change
    the scale. NaN is a blank: it is ignored, and its column is marked in `blank`.

    Args:
        width: number of columns.

    Example:
        >>> moments = Moments(2)
        >>> moments.add(torch.tensor([[1.0, 5.0], [3.0, float("nan")]]))
        >>> moments.mean.tolist(), moments.scale.tolist(), moments.blank.tolist()
        ([2.0, 5.0], [1.0, 1.0], [False, True])
    """

    def __init__(self, width: int) -> None:
        self.rows = 0
        self._waiting: list[Tensor] = []
        self._numbers = 0
        self._count, self._mean, self._squares, self._largest = torch.zeros(4, width, dtype=torch.float64)
        self._first = torch.full((width,), torch.nan, dtype=torch.float64)

    def add(self, values: Float[Tensor, "rows width"]) -> None:
        """Add some rows."""
        self.rows += len(values)
        self._waiting.append(values)
        self._numbers += values.numel()
        if self._numbers > BLOCK or len(self._waiting) >= PARTS:
            self._merge()

    @property
    def mean(self) -> Float[Tensor, "width"]:
        """Mean of each column; 0 if it is all blank."""
        self._merge()
        mean: Tensor = self._mean + self._first.nan_to_num()
        return mean

    @property
    def scale(self) -> Float[Tensor, "width"]:
        """Population standard deviation of each column; 1 if the column is constant up to rounding."""
        self._merge()
        deviation = (self._squares / self._count.clamp(min=1)).sqrt()
        return torch.where(deviation > ROUNDING * self._largest.clamp(min=1e-300), deviation, 1.0)

    @property
    def blank(self) -> Bool[Tensor, "width"]:
        """Whether each column had a blank."""
        self._merge()
        blank: Tensor = self._count < self.rows
        return blank

    def _merge(self) -> None:
        if not self._numbers:
            return
        values = torch.cat(self._waiting).double()
        self._waiting, self._numbers = [], 0
        here = ~values.isnan()
        count = here.sum(dim=0).double()
        self._largest = torch.maximum(self._largest, torch.where(here, values.abs(), 0.0).amax(dim=0))
        first = values.gather(0, here.int().argmax(dim=0, keepdim=True)).squeeze(0)  # NaN if a column is all blank
        self._first = torch.where(self._first.isnan(), first, self._first)
        values -= self._first
        mean = torch.where(here, values, 0.0).sum(dim=0) / count.clamp(min=1)
        off = torch.where(here, values - mean, 0.0)
        total, between = self._count + count, mean - self._mean
        share = count / total.clamp(min=1)
        self._squares = self._squares + off.square().sum(dim=0) + between.square() * self._count * share
        self._mean = self._mean + between * share
        self._count = total
