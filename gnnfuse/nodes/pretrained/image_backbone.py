"""Reassembles pictures from squares or cells and applies a network to them."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.backbone import Backbone, check_count, groups_of_equal, in_order, rows_of
from gnnfuse.nodes.pretrained.cell_grid import CellGrid
from gnnfuse.nodes.pretrained.cut import Cut


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
        return self._by_grid(values, layout, self.width, self._features)

    def states(
        self, values: Float[Tensor, "nodes channels height width"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes numbers"]:
        """Squares or cells of pixels in, states before the cut out."""

        def run(squares: Tensor, rows: int, columns: int) -> Tensor:
            pixels = self._prepared(self._pictures(squares, rows, columns))
            return cut.states(self.network, (pixels,), rows * columns)

        return self._by_grid(values, layout, cut.width, run)

    def features(
        self, states: Float[Tensor, "nodes numbers"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes features"]:
        """States before the cut in, features out."""

        def run(of_grid: Tensor, rows: int, columns: int) -> Tensor:
            fixed = (rows * self.stride, columns * self.stride)
            sides = fixed if self.grid is None else (self.grid.height, self.grid.width)
            squares = [-(-side // self.stride) for side in sides]
            black = of_grid.new_zeros(1, len(self.mean), *(count * self.stride + self.margin for count in squares))
            return self._rows(cut.output(self.network, of_grid.flatten(1), (black,)), squares)

        return self._by_grid(states.to(self.like.dtype), layout, self.width, run)

    def _by_grid(
        self, values: Tensor, layout: Layout, width: int, run: Callable[[Tensor, int, int], Tensor]
    ) -> Float[Tensor, "nodes features"]:
        """Run pictures of the same grid together; `run` takes `[pictures, nodes, ...]`, rows and columns."""
        grids = [tuple(grid) for grid in layout.shape.tolist()]
        found, places = [], []
        for graphs in groups_of_equal(grids):
            rows, columns = grids[graphs[0]]
            if rows * columns == 0:
                continue
            nodes = rows_of(layout.offsets, graphs, rows * columns)
            found.append(run(values[nodes], rows, columns))
            places.append(nodes.flatten())
        return in_order(found, places, width, self.like)

    def _pictures(self, squares: Tensor, rows: int, columns: int) -> Tensor:
        if self.grid is not None:  # repeated up to whole squares, as squares are
            whole = self.grid.joined(squares)
            below, right = (-side % self.stride for side in whole.shape[2:])
            return F.pad(whole, (0, right, 0, below), mode="replicate") if below or right else whole
        pictures, _, channels, height, width = squares.shape
        grid = squares.reshape(pictures, rows, columns, channels, height, width)
        return grid.permute(0, 3, 1, 4, 2, 5).reshape(pictures, channels, rows * height, columns * width)

    def _features(self, squares: Tensor, rows: int, columns: int) -> Tensor:
        pixels = self._pictures(squares, rows, columns)
        expected = [side // self.stride for side in pixels.shape[2:]]
        return self._rows(self.network(self._prepared(pixels)), expected)

    def _prepared(self, pixels: Tensor) -> Tensor:
        pixels = (pixels.to(self.like.dtype) - self.offset) / self.scale
        if self.margin:
            before, after = self.margin // 2, self.margin - self.margin // 2
            pixels = F.pad(pixels, (before, after, before, after), mode="replicate")
        return pixels

    def _rows(self, features: Tensor, expected: Sequence[int]) -> Float[Tensor, "nodes features"]:
        check_count(self.network, features.shape[2:], expected)
        cells = features if self.grid is None else self.grid.averaged(features)
        return cells.permute(0, 2, 3, 1).flatten(0, 2)
