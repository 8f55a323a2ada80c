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

INK = "#22262b"
DEVICE_TIME = "; the device's own time, as in a captured CUDA graph: an eager step may wait for the host"
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
    crossings = summary(rows)["cheaper_than_full_attention_from_nodes"]
    draw_crossings(axes, curves, crossings)
    dress(axes, sorted({nodes for times in curves.values() for nodes in times}))
    first = next(row for row in rows if row["work"] == "growth")
    where = environment["gpu"] or f"{environment['processor']}, threads: {environment['threads']}"
    axes.set_title("One block, forward and backward, one sample of degree 20", loc="left", fontsize=12)
    footer = "\n".join(
        [*in_words(curves, crossings), f"{where}; {first['dtype']}{DEVICE_TIME if environment['gpu'] else ''}"]
    )
    axes.text(0, -0.15, footer, transform=axes.transAxes, va="top", fontsize=8, color="#6b7480")
    figure.savefig(file, dpi=150)


def draw_curves(axes: Axes, curves: Mapping[str, Mapping[int, float]]) -> None:
    """A line per way, named at its right end."""
    ends = {}
    for name, times in curves.items():
        color, marker, _ = LOOKS[name]
        sizes = sorted(times)
        axes.loglog(sizes, [times[size] for size in sizes], color=color, marker=marker, linewidth=2, markersize=6)
        ends[name] = (sizes[-1], times[sizes[-1]])
    low, high = axes.get_ylim()
    axes.set_ylim(low / 6, high)  # room for words below the lines
    least = (6 * high / low) ** 0.05
    height = 0.0
    for name, (nodes, milliseconds) in sorted(ends.items(), key=lambda end: end[1][1]):
        height = max(milliseconds, height * least)
        place = {"xytext": (1.02, height), "textcoords": axes.get_yaxis_transform()}
        options: dict[str, Any] = place | {"va": "center", "fontsize": 10, "color": INK, "annotation_clip": False}
        line = {"arrowstyle": "-", "color": LOOKS[name][0], "linewidth": 1, "shrinkB": 6}
        axes.annotate(LOOKS[name][2], (nodes, milliseconds), arrowprops=line, **options)


def draw_crossings(
    axes: Axes, curves: Mapping[str, Mapping[int, float]], crossings: Mapping[str, float | None]
) -> None:
    """A dashed line where a way becomes cheaper than full attention."""
    full = curves.get("full_attention", {})
    height = 0.02
    for name, nodes in crossings.items():
        color, _, label = LOOKS[name]
        if nodes is None:
            continue
        axes.axvline(nodes, color=color, linestyle=(0, (4, 3)), linewidth=1.2, zorder=0)
        right = nodes < sorted(full)[len(full) // 2]
        axes.annotate(
            f"{label.removeprefix('graph: ')} cheaper than\nfull attention from {nodes:,.0f} nodes on",
            (nodes, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(6 if right else -6, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=9,
            color=INK,
        )
        height += 0.1


def in_words(curves: Mapping[str, Mapping[int, float]], crossings: Mapping[str, float | None]) -> list[str]:
    """A line for each way without a crossing."""
    full = curves.get("full_attention", {})
    without = [name for name, nodes in crossings.items() if nodes is None and set(curves.get(name, {})) & set(full)]
    return [f"{LOOKS[name][2]} is {compare(curves[name], full)}" for name in without]


def compare(one: Mapping[int, float], full: Mapping[int, float]) -> str:
    """In words, for a way that does not overtake full attention for good."""
    cheaper = [one[size] < full[size] for size in sorted(set(one) & set(full))]
    if all(cheaper):
        return "cheaper than full attention at every size"
    return f"dearer than full attention {'at the largest size' if any(cheaper) else 'at every size'}"


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
