"""A picture summarised by histograms of its colours and of the directions of its edges, on a fixed number of cells."""

import math

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.summary import NodeSummary
from gnnfuse.ops import segment_reduce

PIXELS = 1 << 15  # counted at once: their histograms fit a core's cache
FAINT = 1e-2  # length below which the gradients around a cell count as none
LARGEST = 0.2  # of a cell's normalised numbers, so that no single strong edge decides


class PictureSummary(NodeSummary):
    """Directions of gradients in `cells` x `cells` cells, and levels of each channel in `regions` x `regions` cells.

    Gradients are central differences of the whole picture, also across patches. Each is shared by the two nearest
    directions and the four nearest cells, and a cell's histogram is normalised by its neighbourhood (Dalal and Triggs,
    "Histograms of oriented gradients", 2005; one number per cell and direction as in Felzenszwalb et al., 2010). Cells
    are fractions of the picture, whatever its size. Histograms of levels are square roots of shares.

    Args:
        channels: of the patches.
        patch: side of a patch in pixels.
        stride: pixels from one patch to the next; pixels of several patches count once.
        cells: cells of gradients along each side.
        directions: of gradients, between 0 and 180 degrees.
        regions: cells of levels along each side.
        levels: of each channel.
    """

    own_scales = False

    def __init__(
        self,
        channels: int,
        patch: int,
        stride: int,
        *,
        cells: int = 6,
        directions: int = 9,
        regions: int = 3,
        levels: int = 8,
    ) -> None:
        super().__init__(cells**2 * directions + regions**2 * channels * levels)
        self.channels = channels
        self.patch = patch
        self.stride = stride
        self.cells = cells
        self.directions = directions
        self.regions = regions
        self.levels = levels
        self.together = max(1, PIXELS // patch**2)
        self.unit: Tensor
        self.register_buffer("unit", torch.ones(()), persistent=False)  # states the dtype to compute in

    def forward(
        self, values: Shaped[Tensor, "nodes channels patch patch"], layout: Layout
    ) -> Float[Tensor, "graphs width"]:
        """Patches in, histograms out.

        Raises:
            ValueError: some of a picture's patches were left out.
        """
        if layout.place is not None:
            raise ValueError("found pictures without some of their patches, expected whole ones to summarise")
        pixels = values.to(self.unit.dtype) / (255 if values.dtype == torch.uint8 else 1)
        rows, columns = layout.shape[layout.graph_id].unbind(dim=1)
        row, column = layout.index // columns, layout.index % columns
        own = self._own(row, rows).unsqueeze(2) * self._own(column, columns).unsqueeze(1)
        down = self._slope(pixels, 2, row, rows, columns)
        right = self._slope(pixels, 3, column, columns, torch.ones_like(columns))
        places = self._places(row, rows), self._places(column, columns)
        of_each = (pixels, own, down, right, *places)
        if torch.compiler.is_compiling():  # no number of pieces is known
            counts = [self._counts(*of_each)]
        else:
            pieces = zip(*(torch.split(each, self.together) for each in of_each), strict=True)
            counts = [self._counts(*piece) for piece in pieces]
        edges, levels = (segment_reduce(torch.cat(each), offsets=layout.offsets) for each in zip(*counts, strict=True))
        shares = levels.reshape(*levels.shape[:3], self.channels, self.levels)
        colours = (shares / shares.sum(dim=4, keepdim=True).clamp(min=FAINT)).sqrt()
        return torch.cat([_normalised(edges).flatten(1), colours.flatten(1)], dim=1)

    def _counts(
        self,
        pixels: Float[Tensor, "nodes channels patch patch"],
        own: Float[Tensor, "nodes patch patch"],
        down: Float[Tensor, "nodes patch patch"],
        right: Float[Tensor, "nodes patch patch"],
        y: Float[Tensor, "nodes patch"],
        x: Float[Tensor, "nodes patch"],
    ) -> tuple[Tensor, Tensor]:
        """Each patch's gradients by cell and direction, and its channels by region and level."""
        edges = _in_cells(self._directions(down, right) * own.unsqueeze(3), y, x, self.cells)
        return edges, _in_cells(self._levels(pixels) * own.unsqueeze(3), y, x, self.regions)

    def _places(self, line: Int[Tensor, "nodes"], lines: Int[Tensor, "nodes"]) -> Float[Tensor, "nodes patch"]:
        """The centres of a patch's pixels along one side, as fractions of the picture."""
        local = torch.arange(self.patch, device=line.device).to(self.unit.dtype) + 0.5
        size = (lines - 1) * self.stride + self.patch
        return ((line * self.stride).unsqueeze(1) + local) / size.unsqueeze(1)

    def _own(self, line: Int[Tensor, "nodes"], lines: Int[Tensor, "nodes"]) -> Float[Tensor, "nodes patch"]:
        """1 for the lines of pixels that belong to the patch, 0 for those of the next one."""
        local = torch.arange(self.patch, device=line.device)
        return ((local < self.stride) | (line == lines - 1).unsqueeze(1)).to(self.unit.dtype)

    def _slope(
        self,
        pixels: Float[Tensor, "nodes channels patch patch"],
        axis: int,
        line: Int[Tensor, "nodes"],
        lines: Int[Tensor, "nodes"],
        step: Int[Tensor, "nodes"],
    ) -> Float[Tensor, "nodes patch patch"]:
        """Half the difference between the next and the previous pixel along one side, averaged over channels.

        Args:
            pixels: the patches.
            axis: of the side.
            line: the patch's place along it.
            lines: places along it.
            step: nodes from one place to the next.
        """
        grey, axis = pixels.mean(dim=1), axis - 1
        before = self._neighbour(grey, axis, line > 0, -step, self.stride - 1, 0)
        after = self._neighbour(grey, axis, line < lines - 1, step, self.patch - self.stride, self.patch - 1)
        around = torch.cat([before, grey, after], dim=axis)
        return (around.narrow(axis, 2, self.patch) - around.narrow(axis, 0, self.patch)) / 2

    @staticmethod
    def _neighbour(
        grey: Float[Tensor, "nodes patch patch"],
        axis: int,
        has: Bool[Tensor, "nodes"],
        step: Int[Tensor, "nodes"],
        theirs: int,
        mine: int,
    ) -> Tensor:
        """The neighbouring patch's line of pixels next to this patch; its own outermost line at the border."""
        node = torch.arange(len(grey), device=grey.device)
        other = grey.narrow(axis, theirs, 1)[torch.where(has, node + step, node)]
        return torch.where(has.reshape(-1, 1, 1), other, grey.narrow(axis, mine, 1))

    def _directions(
        self, down: Float[Tensor, "nodes patch patch"], right: Float[Tensor, "nodes patch patch"]
    ) -> Float[Tensor, "nodes patch patch directions"]:
        """Each gradient's length, shared by the two nearest directions."""
        at = torch.atan2(down, right).unsqueeze(3) * (self.directions / math.pi)
        off = (at - torch.arange(self.directions, device=at.device)).remainder_(self.directions)
        near = torch.minimum(off, self.directions - off).neg_().add_(1).clamp_(min=0)
        return near.mul_(torch.hypot(down, right).unsqueeze(3))

    def _levels(
        self, pixels: Float[Tensor, "nodes channels patch patch"]
    ) -> Float[Tensor, "nodes patch patch channel_levels"]:
        """Each channel of each pixel, shared by the two nearest levels."""
        return _near(pixels.permute(0, 2, 3, 1).clamp(0, 1) * (self.levels - 1), self.levels).flatten(3)


def _in_cells(
    numbers: Float[Tensor, "nodes patch patch kinds"],
    y: Float[Tensor, "nodes patch"],
    x: Float[Tensor, "nodes patch"],
    cells: int,
) -> Float[Tensor, "nodes cells cells kinds"]:
    """The sums of the pixels' numbers by cell of the picture, each shared by the nearest cells."""
    rows, columns = (_near((place * cells - 0.5).clamp(0, cells - 1), cells).transpose(1, 2) for place in (y, x))
    nodes, patch, _, kinds = numbers.shape
    by_row = (rows @ numbers.reshape(nodes, patch, patch * kinds)).reshape(nodes, cells, patch, kinds)
    found: Tensor = columns @ by_row.transpose(1, 2).reshape(nodes, patch, cells * kinds)
    return found.reshape(nodes, cells, cells, kinds).transpose(1, 2)


def _near(at: Float[Tensor, "..."], count: int) -> Float[Tensor, "... count"]:
    """The share of each of `count` points, at 0, 1, 2, ..., in a place between two of them."""
    off = at.unsqueeze(-1) - torch.arange(count, device=at.device)
    return off.abs_().neg_().add_(1).clamp_(min=0)  # in place: fresh memory takes longer than the arithmetic


def _normalised(cells: Float[Tensor, "graphs rows columns kinds"]) -> Float[Tensor, "graphs rows columns kinds"]:
    """Each cell over the length of each of the four blocks of 2 x 2 cells around it, the four added."""
    energy = F.pad(cells.square().sum(dim=3).unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    blocks = energy[:, :-1, :-1] + energy[:, 1:, :-1] + energy[:, :-1, 1:] + energy[:, 1:, 1:]
    lengths = (blocks.clamp(min=0).sqrt() + FAINT).unsqueeze(3)
    around = (lengths[:, :-1, :-1], lengths[:, 1:, :-1], lengths[:, :-1, 1:], lengths[:, 1:, 1:])
    found = sum(((cells / length).clamp(max=LARGEST) for length in around), torch.zeros_like(cells))
    return found / 2
