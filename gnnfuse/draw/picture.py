"""Pictures, with the lattice of their patches and a node in every patch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import TIMES, Drawer, Drawn, Facing, View
from gnnfuse.draw.strip import TITLE, draw_dots, draw_frame, far_title
from gnnfuse.nodes import NodeSet
from gnnfuse.sample import Sample, SignalError, read_image

SMALL = 64  # pixels: smaller pictures are drawn without interpolation


class Picture(Drawer):
    """Draws nodes on a lattice of two axes with positions, of a signal that is a picture."""

    def accepts(self, view: View) -> bool:
        """Whether the nodes have a lattice and positions, and the signal can be read as a picture."""
        lattice = {"grid", "position"} <= view.node_type.provides and len(view.nodes.shape) == 2
        return lattice and _pixels(view.sample, view.node_type.signal) is not None

    def height(self, view: View, width: float) -> float:
        """By the proportions of the picture, within bounds."""
        pixels = self._padded(view)[0]
        return TITLE + width * min(1.4, max(0.35, pixels.shape[1] / pixels.shape[2]))

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """The picture, its padded border (paler), and a dot in the centre of every patch."""
        pixels, height, width = self._padded(view)
        room = box.height - TITLE
        scale = min(box.width / pixels.shape[2], room / pixels.shape[1])
        size = pixels.shape[2] * scale, pixels.shape[1] * scale
        place = Box(box.left + (box.width - size[0]) / 2, box.bottom + (room - size[1]) / 2, *size)
        axes = canvas.axes(place)
        shown = pixels.clone()
        shown[:, height:] = 0.35 * shown[:, height:] + 0.65
        shown[:, :height, width:] = 0.35 * shown[:, :height, width:] + 0.65
        nearest = min(height, width) < SMALL
        axes.imshow(
            shown.permute(1, 2, 0).numpy(),
            extent=(0, 1, 1, 0),
            aspect="auto",
            interpolation="nearest" if nearest else "bicubic",
        )
        position = view.nodes.position
        assert position is not None
        _lattice(canvas, position, place)
        draw_frame(canvas, place)
        heading = Box(place.left, place.bottom, place.width, place.height + TITLE)
        far_title(canvas, view, heading, "down", note=f"{width}{TIMES}{height} px")
        centers = position.double().numpy()
        points = np.stack([place.left + centers[:, 1] * place.width, place.top - centers[:, 0] * place.height], axis=1)
        draw_dots(canvas, points)
        return Drawn(points, sideways=True)

    def _padded(self, view: View) -> tuple[Tensor, int, int]:
        pixels = _pixels(view.sample, view.node_type.signal)
        assert pixels is not None
        height, width = pixels.shape[1:]
        full_height, full_width = _full_size(view.nodes, height, width)
        right, below = max(0, full_width - width), max(0, full_height - height)
        return F.pad(pixels.unsqueeze(0), (0, right, 0, below), mode="replicate")[0], height, width


def _pixels(sample: Sample, signal: str | None) -> Tensor | None:
    if signal is None:
        return None
    try:
        return read_image(sample, signal, channels=3)
    except SignalError:
        return None  # another kind of signal, for another drawer


def _full_size(nodes: NodeSet, height: int, width: int) -> tuple[int, int]:
    """The size that positions are fractions of: patches may exceed the border, or come from a picture made smaller."""
    if nodes.values.ndim != 4 or nodes.position is None:
        return height, width
    # The first patch's centre lies half a patch from the corner.
    first, sides = nodes.position[0].tolist(), nodes.values.shape[2:]
    full = [round(side / (2 * at)) for side, at in zip(sides, first, strict=True)]
    factor = 1
    while -(-height // factor) > full[0] or -(-width // factor) > full[1]:
        factor += 1
    return full[0] * factor, full[1] * factor


def _lattice(canvas: Canvas, position: Tensor, place: Box) -> None:
    for axis in (0, 1):
        lines = torch.unique(position[:, axis]).double()
        between = ((lines[1:] + lines[:-1]) / 2).tolist()
        for color, width, alpha in (("black", 1.4, 0.18), ("white", 0.8, 0.75)):
            if axis == 0:
                ys = [place.top - at * place.height for at in between]
                canvas.edges.hlines(ys, place.left, place.right, colors=color, linewidth=width, alpha=alpha, zorder=0)
            else:
                xs = [place.left + at * place.width for at in between]
                canvas.edges.vlines(xs, place.bottom, place.top, colors=color, linewidth=width, alpha=alpha, zorder=0)
