"""Streaming covariance of columns of numbers, for whitening."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


class Covariance:
    """Running mean and scatter matrix of rows, in float64, without keeping the rows.

    Blocks of rows are merged (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1982), so that an offset of all rows costs no precision.

    Args:
        width: number of columns.

    Example:
        >>> found = Covariance(2)
        >>> found.add(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
        >>> found.rows, found.mean.tolist(), found.scatter.tolist()
        (2, [2.0, 5.0], [[2.0, 0.0], [0.0, 0.0]])
    """

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.mean: Float64[Tensor, "width"] = torch.zeros(width, dtype=torch.float64)
        self.scatter: Float64[Tensor, "width width"] = torch.zeros(width, width, dtype=torch.float64)

    def add(self, rows: Float[Tensor, "rows width"]) -> None:
        """Add some rows."""
        if not len(rows):
            return
        found = rows.detach().to("cpu", torch.float64)
        mean = found.mean(dim=0)
        found = found - mean
        between, total = mean - self.mean, self.rows + len(rows)
        self.scatter.addmm_(found.T, found)
        self.scatter.addr_(between, between, alpha=self.rows * len(rows) / total)
        self.mean += between * (len(rows) / total)
        self.rows = total
