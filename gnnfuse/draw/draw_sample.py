"""A figure of one sample's graph: its signals, their nodes, and the edges between them."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from gnnfuse.draw.canvas import Canvas
from gnnfuse.draw.curves import draw_edges, pick
from gnnfuse.draw.dots import Dots
from gnnfuse.draw.drawer import Drawer, Drawn, counted
from gnnfuse.draw.heatmap import Heatmap
from gnnfuse.draw.hubs import Hubs
from gnnfuse.draw.layout import Panel, arrange, draw_absent
from gnnfuse.draw.legend import Count, draw_legend, legend_height
from gnnfuse.draw.palette import GREY, looks
from gnnfuse.draw.picture import Picture
from gnnfuse.draw.spectrogram import Spectrogram
from gnnfuse.draw.tokens import Tokens
from gnnfuse.edges import Relation
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.graph.assemble import list_edges
from gnnfuse.sample import Sample

DRAWERS: tuple[Drawer, ...] = (Hubs(), Picture(), Spectrogram(), Tokens(), Heatmap(), Dots())
MARGIN, HEADING, LEGEND_COLUMN = 0.35, 0.65, 3.5  # inches


def draw_sample(
    sample: Sample,
    builder: GraphBuilder,
    *,
    relations: Collection[Relation | str] | None = None,
    max_edges: int = 150,
    drawers: Sequence[Drawer] = (),
) -> Figure:
    """Draw a sample's graph: every node at its place in the signal, every edge, and a legend.

    Pictures are cut by the lattice of their patches, recordings are spectrograms over their frames, texts are boxes,
    rows of features a heat map, hubs circles, anything else numbered dots; a missing signal is named. A rule has one
    colour; relations between the same two types differ in their dashes.

    Args:
        sample: the sample.
        builder: makes its graph.
        relations: which relations to draw, each as a `Relation`, as text ("image-grid-image") or as a rule's name
            ("grid"); all by default.
        max_edges: most edges drawn of a relation; if it has more, evenly spaced ones are drawn, and the legend gives
            both numbers.
        drawers: your own drawers for your own node types; they come before the built-in ones.

    Returns:
        A figure of its own, unknown to pyplot; `figure.savefig("sample.png", dpi=150)` writes it.

    Raises:
        SignalError: a signal cannot be read.
        ValueError: a relation that the builder does not make, or fewer than no edges.

    Example:
        >>> from gnnfuse.edges import Window
        >>> from gnnfuse.nodes import TextTokens
        >>> figure = draw_sample(Sample({"text": "a cat"}), GraphBuilder([TextTokens()], [Window(size=1)]))
        >>> figure.legends[0].get_texts()[0].get_text()
        'text → text · window · 8 edges'
    """
    if max_edges < 0:
        raise ValueError(f"max_edges must be at least 0, found {max_edges}")
    chosen = _chosen(builder.relations, relations)
    graph = replace(builder.graph(sample), target=None)
    batch = builder.collate([graph])
    panels, width, height = arrange(sample, builder.node_types, graph.nodes, (*drawers, *DRAWERS))
    columns = max(1, min(len(chosen), int(width / LEGEND_COLUMN)))
    footer = legend_height(len(chosen), columns) + MARGIN + 0.25
    canvas = Canvas(width + 2 * MARGIN, footer + height + HEADING)
    _heading(canvas, sample, batch)
    drawn = {panel.node_type.name: _draw_panel(canvas, panel, footer) for panel in panels}
    styles = looks(builder.relations)
    edge_lists = {relation: listed.index for relation, listed in list_edges(batch).items()}
    counts = {}
    for relation in chosen:
        pairs, src, dst = edge_lists[relation], drawn[relation.src], drawn[relation.dst]
        shown = pick(pairs, max_edges)
        counts[relation] = Count(pairs.shape[1], shown.shape[1])
        if src is not None and dst is not None and shown.shape[1]:
            draw_edges(canvas, src, dst, shown, *styles[relation])
    draw_legend(canvas, counts, styles, columns=columns, left=MARGIN, bottom=MARGIN)
    return canvas.figure


def _chosen(known: tuple[Relation, ...], wanted: Collection[Relation | str] | None) -> tuple[Relation, ...]:
    if wanted is None:
        return known
    for name in wanted:
        if not any(name in (relation, str(relation), relation.rule) for relation in known):
            listed = ", ".join(map(str, known))
            raise ValueError(f"unknown relation {str(name)!r}, expected some of: {listed}; or a rule's name")
    return tuple(r for r in known if any(name in (r, str(r), r.rule) for name in wanted))


def _heading(canvas: Canvas, sample: Sample, batch: GraphBatch) -> None:
    title = "sample" if sample.id is None else f"sample {sample.id}"
    if sample.target is not None:
        title += f"   target: {_short(sample.target)}"
    canvas.text(MARGIN, canvas.height - 0.3, title, size=13, weight="bold")
    nodes, edges = counted(batch.num_nodes, "node"), counted(batch.edges.num_edges, "edge")
    types = counted(sum(len(values) > 0 for values in batch.values.values()), "type")
    relations = counted(len(set(batch.edges.relation.tolist())), "relation")
    summary = f"{nodes} of {types}, {edges} of {relations}"
    canvas.text(canvas.width - MARGIN, canvas.height - 0.3, summary, size=10, color=GREY, align="right")


def _short(value: object) -> str:
    words = " ".join(str(value).split())
    return words if len(words) <= 48 else f"{words[:47]}…"


def _draw_panel(canvas: Canvas, panel: Panel, bottom: float) -> Drawn | None:
    box = replace(panel.box, left=panel.box.left + MARGIN, bottom=panel.box.bottom + bottom)
    if panel.view is None or panel.drawer is None:
        draw_absent(canvas, panel, box)
        return None
    return panel.drawer.draw(canvas, panel.view, box, panel.facing)
