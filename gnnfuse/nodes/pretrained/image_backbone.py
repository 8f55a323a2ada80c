"""Reassembles pictures from squares or cells and applies a network to them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order, rows_of
from gnnfuse.nodes.pretrained.cell_grid import CellGrid


class ImageBackbone(Backbone):
    """A network whose states lie on the grid of the squares.

    Args:
        network: `[pictures, channels, height, width]` -> `[pictures, width, rows, columns]`.
        width: features per node.
        margin: pixels added around a picture, its border repeated.
        mean: per channel, subtracted.
        std: per channel, the divisor.
        stride: pixels from one state to the next.
        grid: the nodes are the cells of this grid, over which states are averaged; None for a node per state.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self,
        network: nn.Module,
        width: int,
        *,
        margin: int,
        mean: Sequence[float],
        std: Sequence[float],
        stride: int,
        grid: CellGrid | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.margin = margin
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.stride = stride
        self.grid = grid
        self.register_buffer("offset", torch.tensor(self.mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(self.std).reshape(-1, 1, 1), persistent=False)

    def forward(
        self, values: Float[Tensor, "nodes channels height width"], layout: Layout
    ) -> Float[Tensor, "nodes features"]:
        """Squares or cells of pixels in 0..1 in, features out."""
        grids = [tuple(grid) for grid in layout.shape.tolist()]
        found, places = [], []
        for graphs in groups_of_equal(grids):
            rows, columns = grids[graphs[0]]
            if rows * columns == 0:
                continue
            nodes = rows_of(layout.offsets, graphs, rows * columns)
            features = self._features(self._pictures(values[nodes], rows, columns))
            found.append(features.permute(0, 2, 3, 1).flatten(0, 2))
            places.append(nodes.flatten())
        return in_order(found, places, self.width, self.like)

    def _pictures(self, squares: Tensor, rows: int, columns: int) -> Tensor:
        if self.grid is not None:  # repeated up to whole squares, as squares are
            whole = self.grid.joined(squares)
            below, right = (-side % self.stride for side in whole.shape[2:])
            return F.pad(whole, (0, right, 0, below), mode="replicate") if below or right else whole
        pictures, _, channels, height, width = squares.shape
        grid = squares.reshape(pictures, rows, columns, channels, height, width)
        return grid.permute(0, 3, 1, 4, 2, 5).reshape(pictures, channels, rows * height, columns * width)

    def _features(self, pixels: Tensor) -> Tensor:
        expected = [side // self.stride for side in pixels.shape[2:]]
        pixels = (pixels.to(self.like.dtype) - self.offset) / self.scale
        if self.margin:
            before, after = self.margin // 2, self.margin - self.margin // 2
            pixels = F.pad(pixels, (before, after, before, after), mode="replicate")
        features: Tensor = self.network(pixels)
        check_count(self.network, features.shape[2:], expected)
        return features if self.grid is None else self.grid.averaged(features)
