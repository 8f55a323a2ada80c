"""Where the panels go: lattices left, sequences stacked right, hubs between them; missing signals say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.patches import FancyBboxPatch

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Facing, View
from gnnfuse.draw.palette import FAINT, GREY
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import Sample

MARGIN, LATTICE, HUB, STRIP = 0.35, 3.3, 1.7, 6.4  # inches: border, then the widths of the three columns
GAP, ABSENT = 1.3, 0.6  # inches between the panels of a column, height of a panel without nodes


@dataclass(frozen=True)
class Panel:
    """One node type's place.

    Args:
        node_type: the type.
        view: its nodes; None where there are none.
        drawer: who draws them; None where there are none.
        words: what to say where there are none.
        box: where.
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
    """A panel for every type, and the width and height they fill; heights count from 0 at the bottom."""
    columns = {"lattice": LATTICE, "hub": HUB, "strip": STRIP}
    members: dict[str, list[NodeType]] = {column: [] for column in columns}
    for node_type in sorted(node_types, key=_rank):
        members[_column(node_type)].append(node_type)
    views = {t.name: _view(sample, t, nodes[t.name]) for t in node_types}
    chosen = {name: _choose(view, drawers) for name, view in views.items()}

    def height(node_type: NodeType, width: float) -> float:
        view, drawer = views[node_type.name], chosen[node_type.name]
        return ABSENT if view is None or drawer is None else drawer.height(view, width)

    heights = {c: [height(t, columns[c]) for t in members[c]] for c in columns}
    gaps = {"lattice": GAP / 2, "hub": 0.1, "strip": GAP}
    full = max(sum(heights[c]) + gaps[c] * max(0, len(heights[c]) - 1) for c in columns)
    placed = {
        c: _stack(heights[c], gaps[c], full, widths, spread=c == "strip", centered=c != "lattice")
        for c, widths in columns.items()
    }
    middle = _middle(placed["strip"], full)
    panels, left = [], MARGIN
    for column, width in columns.items():
        if not members[column]:
            continue
        lift = _lift(placed["hub"], middle, full) if column == "hub" else 0.0
        for node_type, place in zip(members[column], placed[column], strict=True):
            box = replace(place, left=left, bottom=place.bottom + lift)
            view, drawer = views[node_type.name], chosen[node_type.name]
            facing: Facing = "up" if column == "strip" and box.center[1] < middle else "down"
            words = f"no {node_type.name}" if nodes[node_type.name] is None else f"{node_type.name} without nodes"
            panels.append(Panel(node_type, view, drawer, words, box, facing))
        left += width
    return panels, left + MARGIN, full


def draw_absent(canvas: Canvas, panel: Panel, box: Box) -> None:
    """An empty, dashed panel that says what is missing."""
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


def _column(node_type: NodeType) -> str:
    if node_type.signal is None:
        return "hub"
    return "lattice" if "grid" in node_type.provides else "strip"


def _rank(node_type: NodeType) -> tuple[bool, bool, str]:
    """Times first, then sequences, so that what is aligned stands together; the rest last."""
    return "time" not in node_type.provides, "order" not in node_type.provides, node_type.name


def _view(sample: Sample, node_type: NodeType, nodes: NodeSet | None) -> View | None:
    return None if nodes is None or not nodes.num_nodes else View(node_type, nodes, sample)


def _choose(view: View | None, drawers: Sequence[Drawer]) -> Drawer | None:
    return None if view is None else next(drawer for drawer in drawers if drawer.accepts(view))


def _stack(heights: list[float], gap: float, full: float, width: float, *, spread: bool, centered: bool) -> list[Box]:
    spare = full - sum(heights) - gap * (len(heights) - 1)
    if spread and len(heights) > 1:
        extra = min(spare / (len(heights) - 1), 0.8)
        gap, spare = gap + extra, spare - extra * (len(heights) - 1)
    top, boxes = full - (spare / 2 if centered else 0.0), []
    for height in heights:
        boxes.append(Box(0.0, top - height, width, height))
        top -= height + gap
    return boxes


def _middle(strips: list[Box], full: float) -> float:
    """The height that strips face: the gap between the two in the middle, below a single one."""
    if not strips:
        return full / 2
    if len(strips) == 1:
        return min(full / 2, strips[0].bottom)
    below = (len(strips) + 1) // 2
    return (strips[below - 1].bottom + strips[below].top) / 2


def _lift(hubs: list[Box], middle: float, full: float) -> float:
    """How far the column of hubs moves to stand at the middle, within the page."""
    if not hubs:
        return 0.0
    top, bottom = hubs[0].top, hubs[-1].bottom
    return max(-bottom, min(full - top, middle - (top + bottom) / 2))
