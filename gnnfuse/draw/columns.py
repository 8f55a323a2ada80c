"""Three columns of panels: lattices left, hubs in the middle, strips right, around the height of the edges."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gnnfuse.draw.canvas import Box

Column = Literal["lattice", "hub", "strip"]
COLUMNS: tuple[Column, ...] = ("lattice", "hub", "strip")
WIDTHS: Mapping[Column, float] = {"lattice": 3.3, "hub": 1.7, "strip": 6.4}  # inches
GAPS: Mapping[Column, float] = {"lattice": 0.65, "hub": 0.2, "strip": 1.3}
DROP, SPREAD, AISLE = (
    0.9,
    0.8,
    1.1,
)  # below a lone strip; largest extra space between strips; between columns if there are no hubs


@dataclass(frozen=True)
class Places:
    """The places of the panels of each column, in inches from the lower left corner of all.

    Args:
        boxes: column -> its panels from top to bottom.
        width: of all.
        height: of all.
        middle: the height of the hubs, which strips face.
    """

    boxes: Mapping[Column, list[Box]]
    width: float
    height: float
    middle: float


def place(heights: Mapping[Column, list[float]]) -> Places:
    """Place panels of these heights.

    Example:
        >>> places = place({"lattice": [3.0], "hub": [1.0], "strip": [2.0, 1.0]})
        >>> round(places.height, 2), round(places.middle, 2)
        (4.3, 1.65)
    """
    total = {column: sum(heights[column]) + GAPS[column] * max(0, len(heights[column]) - 1) for column in COLUMNS}
    if len(heights["strip"]) == 1:
        total["strip"] += DROP + total["hub"] / 2
    height = max(total.values())
    strips = _strips(heights["strip"], height)
    if not strips:
        middle = height / 2
    elif len(strips) == 1:
        middle = strips[0].bottom - DROP
    else:
        below = (len(strips) + 1) // 2
        middle = (strips[below - 1].bottom + strips[below].top) / 2
    top = min(height, max(total["hub"], middle + total["hub"] / 2))
    stacked: dict[Column, list[Box]] = {
        "lattice": _stack(heights["lattice"], height, GAPS["lattice"], WIDTHS["lattice"]),
        "hub": _stack(heights["hub"], top, GAPS["hub"], WIDTHS["hub"]),
        "strip": strips,
    }
    left, boxes = 0.0, {}
    for column in COLUMNS:
        boxes[column] = [replace(box, left=left) for box in stacked[column]]
        aisle = AISLE if column == "lattice" and not heights["hub"] and heights["strip"] else 0.0
        left += WIDTHS[column] + aisle if boxes[column] else 0.0
    return Places(boxes, left, height, middle)


def _strips(heights: list[float], height: float) -> list[Box]:
    if len(heights) == 1:  # its edges run below it, at half height if there is room
        bottom = min(height - heights[0], height / 2 + DROP)
        return _stack(heights, bottom + heights[0], 0.0, WIDTHS["strip"])
    between = max(1, len(heights) - 1)
    spare = height - sum(heights) - GAPS["strip"] * between
    extra = min(spare / between, SPREAD)
    return _stack(heights, height - (spare - extra * between) / 2, GAPS["strip"] + extra, WIDTHS["strip"])


def _stack(heights: list[float], top: float, gap: float, width: float) -> list[Box]:
    boxes = []
    for height in heights:
        boxes.append(Box(0.0, top - height, width, height))
        top -= height + gap
    return boxes
