"""Numbered dots, for all other nodes."""

import numpy as np
from matplotlib.patches import Circle

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Drawn, Facing, View
from gnnfuse.draw.palette import FILL, INK
from gnnfuse.draw.strip import TITLE, far_title

STEP, LINE = 0.4, 0.66  # inches from dot to dot, from line to line


class Dots(Drawer):
    """Draws any nodes as numbered dots."""

    def accepts(self, view: View) -> bool:
        """Always True."""
        return True

    def height(self, view: View, width: float) -> float:
        """The height of the lines that the dots fill."""
        return TITLE + LINE * -(-view.nodes.num_nodes // self._per_line(width))

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Numbered dots, row by row."""
        far_title(canvas, view, box, facing)
        count = view.nodes.num_nodes
        per_line = min(count, self._per_line(box.width))
        place = np.arange(count)
        step = min(1.2, box.width / per_line)
        start = box.left + (box.width - per_line * step) / 2
        first = box.top - LINE / 2 - (TITLE if facing == "down" else 0.0)
        points = np.stack([start + (place % per_line + 0.5) * step, first - place // per_line * LINE], axis=1)
        for number, (x, y) in enumerate(points.tolist()):
            canvas.marks.add_patch(Circle((x, y), 0.13, facecolor=FILL, edgecolor=INK, linewidth=0.9, zorder=3))
            canvas.text(x, y, str(number), size=7, align="center")
        return Drawn(points, bulge=(0.0, 1.0 if facing == "down" else -1.0), band=0.19, border=0.13)

    def _per_line(self, width: float) -> int:
        return max(1, int(width / STEP))
