"""Edges as curves: small arches within a type, and between types long bends that leave a panel on its open side."""

import math

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from torch import Tensor

from gnnfuse.draw.canvas import Canvas
from gnnfuse.draw.drawer import Drawn
from gnnfuse.draw.palette import Dashes

Point = tuple[float, float]
SPLIT, ARC = 0.03, 0.11  # edges in both directions bend to their left by this share of their length


def pick(pairs: Tensor, max_edges: int) -> Tensor:
    """At most `max_edges` of the edges `[2, edges]`, evenly spaced.

    Example:
        >>> import torch
        >>> pick(torch.arange(10).expand(2, 10), 2)[0].tolist()
        [2, 7]
    """
    count = pairs.shape[1]
    if count <= max_edges:
        return pairs
    return pairs[:, [(2 * index + 1) * count // (2 * max_edges) for index in range(max_edges)]]


def draw_edges(canvas: Canvas, src: Drawn, dst: Drawn, pairs: Tensor, color: str, dashes: Dashes) -> None:
    """Draw the edges `[2, edges]` from nodes of one panel to nodes of another, or of the same."""
    within = src is dst
    ends = [(_point(src, one), _point(dst, other)) for one, other in pairs.T.tolist()]
    paths = [_within(src, *points) if within else _across(src, dst, *points) for points in ends]
    crowd = len(paths)
    zorder = 2 if within else 3
    width = 1.1 if within or crowd <= 60 else 0.9
    casing = PathCollection(
        paths, facecolors="none", edgecolors="white", linewidths=width + 1.0, alpha=0.4, zorder=zorder - 0.5
    )
    lines = PathCollection(
        paths,
        facecolors="none",
        edgecolors=color,
        linestyles=[dashes],
        linewidths=width,
        alpha=0.95 if crowd <= 30 else (0.8 if crowd <= 80 else 0.6),
        zorder=zorder,
    )
    for collection in (casing, lines):
        canvas.edges.add_collection(collection, autolim=False)


def _point(drawn: Drawn, number: int) -> Point:
    x, y = drawn.points[number].tolist()
    return x, y


def _cubic(*points: Point) -> Path:
    return Path(np.array(points), [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _within(drawn: Drawn, start: Point, end: Point) -> Path:
    dx, dy = drawn.bulge
    start, end = ((x + dx * drawn.border, y + dy * drawn.border) for x, y in (start, end))
    (x0, y0), (x1, y1) = start, end
    if start == end:
        side = drawn.band
        return _cubic(start, (x0 - side, y0 + 1.2 * side), (x0 + side, y0 + 1.2 * side), end)
    if (dx, dy) == (0.0, 0.0):
        return Path(np.array([start, end]), [Path.MOVETO, Path.LINETO])
    # A cubic reaches three quarters of the way to its control points.
    rise = min(drawn.band * 0.9, 0.04 + 0.35 * math.hypot(x1 - x0, y1 - y0)) / 0.75
    lift = (dx * rise, dy * rise)
    quarter = ((x1 - x0) * 0.2, (y1 - y0) * 0.2)
    return _cubic(
        start,
        (x0 + lift[0] + quarter[0], y0 + lift[1] + quarter[1]),
        (x1 + lift[0] - quarter[0], y1 + lift[1] - quarter[1]),
        end,
    )


def _across(src: Drawn, dst: Drawn, start: Point, end: Point) -> Path:
    (x0, y0), (x1, y1) = start, end
    split = ARC if src.sideways and dst.sideways else SPLIT
    left = (-(y1 - y0) * split, (x1 - x0) * split)
    out, back = _leave(src, dst, start, end), _leave(dst, src, end, start)
    return _cubic(
        start, (x0 + out[0] + left[0], y0 + out[1] + left[1]), (x1 + back[0] + left[0], y1 + back[1] + left[1]), end
    )


def _leave(here: Drawn, there: Drawn, start: Point, end: Point) -> Point:
    """The direction in which a curve leaves: sideways from lattices and hubs, up or down from strips."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    if here.sideways:
        if there.sideways and abs(dx) < 0.3 * abs(dy):
            return 0.5 * abs(dy), 0.0  # panels of one column: a bracket to the right
        return (0.35 * dx, 0.35 * dy) if there.sideways else (0.45 * dx, 0.0)
    open_side = -here.bulge[1] if there.sideways else math.copysign(1.0, dy)
    return 0.0, open_side * max(0.22, 0.5 * abs(dy))
