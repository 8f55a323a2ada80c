"""Reassembles pictures from squares and applies a network to them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order, rows_of


class ImageBackbone(Backbone):
    """A network whose states lie on the grid of the squares.

    Args:
        network: `[pictures, channels, height, width]` -> `[pictures, width, rows, columns]`.
        width: features per node.
        margin: pixels added around a picture, its border repeated.
        mean: per channel, subtracted.
        std: per channel, the divisor.
    """

    offset: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, width: int, *, margin: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.margin = margin
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.register_buffer("offset", torch.tensor(self.mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(self.std).reshape(-1, 1, 1), persistent=False)

    def forward(
        self, values: Float[Tensor, "nodes channels height width"], layout: Layout
    ) -> Float[Tensor, "nodes features"]:
        """Squares of pixels in 0..1 in, features out."""
        grids = [tuple(grid) for grid in layout.shape.tolist()]
        found, places = [], []
        for graphs in groups_of_equal(grids):
            rows, columns = grids[graphs[0]]
            if rows * columns == 0:
                continue
            nodes = rows_of(layout.offsets, graphs, rows * columns)
            found.append(self._features(values[nodes], rows, columns))
            places.append(nodes.flatten())
        return in_order(found, places, self.width, self.like)

    def _features(self, squares: Tensor, rows: int, columns: int) -> Tensor:
        pictures, _, channels, height, width = squares.shape
        grid = squares.reshape(pictures, rows, columns, channels, height, width)
        pixels = grid.permute(0, 3, 1, 4, 2, 5).reshape(pictures, channels, rows * height, columns * width)
        pixels = (pixels.to(self.like.dtype) - self.offset) / self.scale
        if self.margin:
            before, after = self.margin // 2, self.margin - self.margin // 2
            pixels = F.pad(pixels, (before, after, before, after), mode="replicate")
        features: Tensor = self.network(pixels)
        check_count(self.network, features.shape[2:], (rows, columns))
        return features.permute(0, 2, 3, 1).flatten(0, 2)
