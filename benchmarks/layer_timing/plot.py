"""Time against nodes per sample, and where lines cross."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from layer_timing.growth import NAMES, curve, summary
from layer_timing.run import Row

# Okabe and Ito's colours; markers repeat the distinction.
LOOKS = {
    "RelationAttention": ("#0072B2", "o", "graph: RelationAttention"),
    "full_attention": ("#E69F00", "s", "full attention: SDPA"),
    "pyg.HGTConv": ("#009E73", "D", "graph: PyG HGTConv"),
}


def write_plot(rows: Sequence[Row], environment: Mapping[str, Any], file: Path) -> None:
    """Draw the growth sweep into a PNG, or whatever the file's name says.

    Raises:
        ValueError: there are no such rows.
    """
    curves = {name: times for name in NAMES if (times := curve(rows, name))}
    if not curves:
        raise ValueError("found no rows of the growth sweep to plot, expected some: run with --growth")
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw_curves(axes, curves)
    draw_crossings(axes, curves, summary(rows)["cheaper_than_full_attention_from_nodes"])
    dress(axes, sorted({nodes for times in curves.values() for nodes in times}))
    first = next(row for row in rows if row["work"] == "growth")
    where = environment["gpu"] or f"{environment['processor']}, {environment['threads']} threads"
    axes.set_title("One block, forward and backward, one sample of degree 20", loc="left", fontsize=12)
    axes.text(0, -0.17, f"{where}; {first['dtype']}", transform=axes.transAxes, fontsize=8, color="#6b7480")
    figure.savefig(file, dpi=150)


def draw_curves(axes: Axes, curves: Mapping[str, Mapping[int, float]]) -> None:
    """A line per way, named at its right end."""
    for name, times in curves.items():
        color, marker, label = LOOKS[name]
        sizes = sorted(times)
        axes.loglog(sizes, [times[size] for size in sizes], color=color, marker=marker, linewidth=2, markersize=6)
        axes.annotate(
            label,
            (sizes[-1], times[sizes[-1]]),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            fontsize=10,
            color="#22262b",
            annotation_clip=False,
        )


def draw_crossings(
    axes: Axes, curves: Mapping[str, Mapping[int, float]], crossings: Mapping[str, float | None]
) -> None:
    """A dashed line down from where a way becomes cheaper than full attention; in words where they never cross."""
    full = curves.get("full_attention", {})
    words = []
    for name, nodes in crossings.items():
        color, _, label = LOOKS[name]
        shared = sorted(set(curves.get(name, {})) & set(full))
        if not shared:
            continue
        if nodes is None:
            cheaper = curves[name][shared[-1]] < full[shared[-1]]
            words.append(f"{label} is {'cheaper' if cheaper else 'dearer'} than full attention at every size")
            continue
        axes.axvline(nodes, color=color, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
        text = f"{label.removeprefix('graph: ')} cheaper\nfrom {nodes:,.0f} nodes on"
        height = 0.97 if not words and name == "RelationAttention" else 0.84
        axes.annotate(
            text, (nodes, height), xycoords=("data", "axes fraction"), xytext=(5, 0), textcoords="offset points",
            va="top", fontsize=9, color="#22262b",
        )  # fmt: skip
    if words:
        axes.text(0.02, 0.98, "\n".join(words), transform=axes.transAxes, va="top", fontsize=9, color="#22262b")


def dress(axes: Axes, sizes: Sequence[int]) -> None:
    """Axes with units, plain numbers and a faint grid."""
    plain = FuncFormatter(lambda number, _: f"{number:,.10g}")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(base=10))
    axes.yaxis.set_major_formatter(plain)
    axes.set(xlabel="nodes per sample", ylabel="milliseconds per sample")
    axes.grid(True, which="major", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
