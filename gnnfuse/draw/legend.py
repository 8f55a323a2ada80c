"""The legend: every relation with its rule, its number of edges, and the number drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.lines import Line2D

from gnnfuse.draw.canvas import MOST_LETTERS, Canvas
from gnnfuse.draw.drawer import counted
from gnnfuse.draw.lettering import lettering
from gnnfuse.draw.palette import GREY, INK, Dashes
from gnnfuse.edges import Relation

LINE = 0.215  # inches


@dataclass(frozen=True)
class Count:
    """The number of a relation's edges, and of those drawn."""

    edges: int
    shown: int

    def __str__(self) -> str:
        if self.shown < self.edges:
            return f"{self.shown} of {self.edges} shown"
        return counted(self.edges, "edge")


def legend_height(relations: int, columns: int) -> float:
    """The height of the legend in inches."""
    return LINE * -(-relations // columns) + 0.2 if relations else 0.0


def draw_legend(
    canvas: Canvas,
    counts: Mapping[Relation, Count],
    looks: Mapping[Relation, tuple[str, Dashes]],
    *,
    columns: int,
    left: float,
    bottom: float,
) -> None:
    """Relations rule by rule, in columns."""
    if not counts:
        return
    relations: Sequence[Relation] = sorted(counts, key=lambda relation: (relation.rule, relation.src, relation.dst))
    handles, labels = [], []
    for relation in relations:
        color, dashes = looks[relation]
        strength = 1.0 if counts[relation].edges else 0.35
        handles.append(Line2D([], [], color=color, linestyle=dashes, linewidth=2.0, alpha=strength))
        labels.append(f"{relation.src} → {relation.dst} · {relation.rule} · {counts[relation]}")
    letters = lettering(labels)
    legend = canvas.figure.legend(
        handles,
        [letters.text(label, MOST_LETTERS) for label in labels],
        loc="lower left",
        bbox_to_anchor=(left / canvas.width, bottom / canvas.height),
        ncols=columns,
        frameon=False,
        handlelength=2.8,
        columnspacing=2.0,
        labelspacing=0.45,
        borderpad=0.0,
        borderaxespad=0.0,
        prop={"family": list(letters.families), "size": 9},
    )
    for text, relation in zip(legend.get_texts(), relations, strict=True):
        text.set_parse_math(False)
        text.set_color(INK if counts[relation].edges else GREY)
