"""Pictures of one size cut into cells: the nodes of a picture whose feature map is averaged within cells."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class CellGrid:
    """Rows and columns of cells that cover a picture; cells at the lower and right border may reach beyond it.

    Args:
        rows: cells from top to bottom.
        columns: cells from left to right.
        height: of the picture, in pixels.
        width: of the picture, in pixels.

    Example:
        >>> grid = CellGrid(3, 3, height=8, width=8)
        >>> cells = grid.cut(torch.arange(64.0).reshape(1, 8, 8))
        >>> list(cells.shape), torch.equal(grid.joined(cells[None])[0, 0], torch.arange(64.0).reshape(8, 8))
        ([9, 1, 3, 3], True)
    """

    rows: int
    columns: int
    height: int
    width: int

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a cell, in pixels."""
        return -(-self.height // self.rows), -(-self.width // self.columns)

    def cut(self, pixels: Float[Tensor, "channels height width"]) -> Float[Tensor, "cells channels rows columns"]:
        """The cells of a picture row by row; beyond its border they hold zeros."""
        high, wide = self.sides
        whole = F.pad(pixels, (0, wide * self.columns - self.width, 0, high * self.rows - self.height))
        cells = whole.reshape(-1, self.rows, high, self.columns, wide).permute(1, 3, 0, 2, 4)
        return cells.reshape(self.rows * self.columns, -1, high, wide)

    def joined(
        self, cells: Float[Tensor, "pictures cells channels rows columns"]
    ) -> Float[Tensor, "pictures channels height width"]:
        """Pictures from their cells."""
        high, wide = self.sides
        grid = cells.reshape(len(cells), self.rows, self.columns, -1, high, wide).permute(0, 3, 1, 4, 2, 5)
        whole = grid.reshape(len(cells), -1, self.rows * high, self.columns * wide)
        return whole[..., : self.height, : self.width]

    def averaged(
        self, features: Float[Tensor, "pictures features height width"]
    ) -> Float[Tensor, "pictures features rows columns"]:
        """A feature map averaged within the cells, which overlap by a position where they do not divide it."""
        return F.adaptive_avg_pool2d(features, (self.rows, self.columns))

    def centres(self) -> Float[Tensor, "cells 2"]:
        """The cells' centres as fractions of the picture."""
        row, column = torch.meshgrid(torch.arange(self.rows), torch.arange(self.columns), indexing="ij")
        places = torch.stack([row, column], dim=-1).reshape(-1, 2)
        return (places + 0.5) / torch.tensor([self.rows, self.columns])
