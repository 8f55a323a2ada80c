"""A panel for every node type: its drawer and place, or the name of what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.patches import FancyBboxPatch

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.columns import COLUMNS, WIDTHS, Column, place
from gnnfuse.draw.drawer import Drawer, Facing, View
from gnnfuse.draw.palette import FAINT, GREY
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import Sample

ABSENT = 0.6  # inches, the height of a panel without nodes


@dataclass(frozen=True)
class Panel:
    """One node type's place.

    Args:
        node_type: the type.
        view: its nodes; None if there are none.
        drawer: draws them; None if there are none.
        words: shown if there are none.
        box: the place.
        facing: the side that other panels are on.
    """

    node_type: NodeType
    view: View | None
    drawer: Drawer | None
    words: str
    box: Box
    facing: Facing = "down"


def arrange(
    sample: Sample, node_types: Sequence[NodeType], nodes: Mapping[str, NodeSet | None], drawers: Sequence[Drawer]
) -> tuple[list[Panel], float, float]:
    """A panel for every type, and their total width and height, measured from the lower left corner."""
    members: dict[Column, list[NodeType]] = {column: [] for column in COLUMNS}
    for node_type in sorted(node_types, key=_rank):
        members[_column(node_type)].append(node_type)
    held = {t.name: found for t in node_types if (found := nodes[t.name]) is not None and found.num_nodes}
    views = {t.name: View(t, held[t.name], sample) for t in node_types if t.name in held}
    chosen = {name: next(drawer for drawer in drawers if drawer.accepts(view)) for name, view in views.items()}

    def height(node_type: NodeType, width: float) -> float:
        view = views.get(node_type.name)
        return ABSENT if view is None else chosen[node_type.name].height(view, width)

    places = place({column: [height(t, WIDTHS[column]) for t in members[column]] for column in COLUMNS})
    panels = []
    for column in COLUMNS:
        for node_type, box in zip(members[column], places.boxes[column], strict=True):
            facing: Facing = "up" if column == "strip" and box.center[1] < places.middle else "down"
            absent = nodes[node_type.name] is None
            words = f"no {node_type.name}" if absent else f"{node_type.name} without nodes"
            name = node_type.name
            panels.append(Panel(node_type, views.get(name), chosen.get(name), words, box, facing))
    return panels, places.width, places.height


def draw_absent(canvas: Canvas, panel: Panel, box: Box) -> None:
    """An empty, dashed panel that names what is missing."""
    width = min(box.width, 3.0) if panel.node_type.signal is not None else min(box.width, 1.4)
    x, y = box.center
    canvas.marks.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.2),
            width,
            0.4,
            boxstyle="round,pad=0.04",
            facecolor="white",
            edgecolor=FAINT,
            linestyle=(0, (4, 3)),
            linewidth=1.2,
        )
    )
    canvas.text(x, y, panel.words, size=10, color=GREY, align="center")


def _column(node_type: NodeType) -> Column:
    if node_type.signal is None:
        return "hub"
    return "lattice" if "grid" in node_type.provides else "strip"


def _rank(node_type: NodeType) -> tuple[bool, bool, str]:
    """Types with times first, then sequences, then the rest, so that aligned types are neighbours."""
    return "time" not in node_type.provides, "order" not in node_type.provides, node_type.name
