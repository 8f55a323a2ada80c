"""Rows of features: a small heat map, one column per node."""

import numpy as np

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Drawn, Facing, View, counted
from gnnfuse.draw.strip import BAND, ROW, TITLE, draw_frame, draw_nodes, far_title, inner, node_line

WIDEST = 0.45  # inches of a column


class Heatmap(Drawer):
    """Draws nodes whose values are rows of numbers."""

    def accepts(self, view: View) -> bool:
        """Whether the type provides features."""
        return "features" in view.node_type.provides and view.nodes.values.ndim == 2

    def height(self, view: View, width: float) -> float:
        """Larger for more features, within bounds."""
        return TITLE + BAND + ROW + min(0.9, max(0.3, 0.1 * view.nodes.values.shape[1]))

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Blue below zero, red above; the colours are scaled to the largest magnitude."""
        values = view.nodes.values.detach().double().cpu().numpy()
        room = inner(box, facing)
        width = min(room.width, WIDEST * len(values))
        picture = Box(room.left + (room.width - width) / 2, room.bottom, width, room.height)
        largest = float(np.abs(values).max()) if values.size else 0.0
        limit = largest or 1.0
        axes = canvas.axes(picture)
        axes.imshow(
            values.T, aspect="auto", interpolation="nearest", cmap="RdBu_r", vmin=-limit, vmax=limit, origin="lower"
        )
        draw_frame(canvas, picture)
        features = values.shape[1]
        note = f"{counted(features, 'feature')}, ±{limit:.3g}"
        far_title(canvas, view, box, facing, note=note)
        centers = picture.left + (np.arange(len(values)) + 0.5) / len(values) * picture.width
        return draw_nodes(canvas, centers, picture, facing, node_line(box, facing))
