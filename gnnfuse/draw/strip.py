"""A strip: an image along a line of nodes, with space for the edges between them."""

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawn, Facing, Points, View
from gnnfuse.draw.palette import FAINT, GREY, INK

TITLE, BAND, ROW = 0.26, 0.26, 0.14  # heights in inches: title, edges within the type, the nodes themselves


def far_title(canvas: Canvas, view: View, box: Box, facing: Facing, *, note: str = "") -> None:
    """The type's name in bold and its size, on the side of the box without edges."""
    y = box.top - TITLE / 2 if facing == "down" else box.bottom + TITLE / 2 - 0.03
    note = " · ".join(part for part in (view.title, note) if part)
    canvas.text(box.left, y, view.node_type.name, size=11, weight="bold", background=True)
    canvas.text(box.right, y, note, color=GREY, align="right", background=True)


def inner(box: Box, facing: Facing) -> Box:
    """The box without title, band and row of nodes: the space for the strip's image."""
    height = box.height - TITLE - BAND - ROW
    return Box(box.left, box.top - TITLE - height if facing == "down" else box.bottom + TITLE, box.width, height)


def node_line(box: Box, facing: Facing) -> float:
    """The height of the nodes' line."""
    return box.bottom + ROW / 2 if facing == "down" else box.top - ROW / 2


def draw_nodes(canvas: Canvas, xs: ArrayLike, picture: Box, facing: Facing, y: float) -> Drawn:
    """Dots on the nodes' line, each joined to its place in the image."""
    across = np.asarray(xs, dtype=np.float64)
    points: Points = np.stack([across, np.full(len(across), y)], axis=1)
    foot = picture.bottom if facing == "down" else picture.top
    canvas.edges.vlines(across, min(y, foot), max(y, foot), colors=FAINT, linewidth=0.7, zorder=0)
    draw_dots(canvas, points)
    return Drawn(points, bulge=(0.0, 1.0 if facing == "down" else -1.0), band=BAND)


def draw_dots(canvas: Canvas, points: Points) -> None:
    """Nodes as dots, smaller if they are close together."""
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    closest = float(gaps.min()) if len(gaps) else 1.0
    diameter = min(0.1, max(0.03, 0.55 * closest)) * 72
    canvas.marks.scatter(points[:, 0], points[:, 1], s=diameter**2, c=INK, edgecolors="white", linewidths=0.8, zorder=3)


def draw_frame(canvas: Canvas, box: Box) -> None:
    """A thin line around a picture."""
    canvas.edges.add_patch(
        Rectangle((box.left, box.bottom), box.width, box.height, fill=False, edgecolor=GREY, linewidth=0.7, zorder=0)
    )
