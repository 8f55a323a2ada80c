"""Hubs: learned nodes, as marked circles."""

import numpy as np
from matplotlib.patches import Circle

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Drawn, Facing, View
from gnnfuse.draw.palette import INK

RADIUS, STEP = 0.24, 0.62


class Hubs(Drawer):
    """Draws nodes that are learned rather than read from a signal."""

    def accepts(self, view: View) -> bool:
        """Whether the type reads no signal."""
        return view.node_type.signal is None

    def height(self, view: View, width: float) -> float:
        """The height of a circle for each, with the name below."""
        return STEP * view.nodes.num_nodes + 0.3

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Circles one below the other."""
        count, (x, _) = view.nodes.num_nodes, box.center
        ys = box.top - STEP * (np.arange(count) + 0.5)
        points = np.stack([np.full(count, x), ys], axis=1)
        for number, y in enumerate(ys.tolist()):
            canvas.marks.add_patch(Circle((x, y), RADIUS, facecolor=INK, edgecolor="white", linewidth=2.0, zorder=3))
            word = view.node_type.name if count == 1 and len(view.node_type.name) <= 5 else str(number)
            canvas.text(x, y, word, size=9, color="white", weight="bold", align="center")
        name = view.node_type.name
        if count > 1 or len(name) > 5:
            canvas.text(x, box.bottom + 0.14, name, size=10, weight="bold", align="center", background=True)
        return Drawn(points, bulge=(1.0, 0.0), sideways=True, band=0.5)
