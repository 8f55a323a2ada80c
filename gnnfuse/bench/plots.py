"""Plots of a benchmark's results."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gnnfuse.bench.results import Results, Spread
from gnnfuse.draw.drawings import draw_all
from gnnfuse.draw.lettering import lettering
from gnnfuse.fusion import Family
from gnnfuse.workflow.brief_metrics import spelt
from gnnfuse.workflow.plots import new_figure, saved

# Okabe and Ito's colours, distinct for colour-blind readers; markers repeat the distinction.
COLORS: Mapping[Family, str] = {
    "graph": "#0072B2",
    "attention": "#E69F00",
    "classical": "#009E73",
    "unimodal": "#8A8A8A",
}
MARKERS: Mapping[Family, str] = {"graph": "o", "attention": "s", "classical": "D", "unimodal": "^"}
LINES = ("-", "--", ":", "-.")
MOST_VALUES = 60  # most values of the reported group in a plot


def write_plots(results: Results, out: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Draw the plots for which there are results.

    Args:
        results: the results to draw.
        out: folder to write PNG files into.

    Returns:
        File name -> description; and notes on plots that failed, or whose names could not be written unchanged.
    """
    metric = spelt(results.metric)
    drawings: dict[str, tuple[str, Callable[[Results], Figure]]] = {
        "scores.png": (f"Test {metric} by model", _scores),
        "curves.png": (f"Validation {metric} while training", _curves),
        "speed.png": (f"Test {metric} against inference speed", _speed),
    }
    if any(results.by_group(model) for model in results.models()):
        drawings["groups.png"] = (f"Test {spelt(results.sample_metric)} by {results.group}", _groups)
    return draw_all({name: (what, partial(_draw, draw, results)) for name, (what, draw) in drawings.items()}, out)


def _draw(draw: Callable[[Results], Figure], results: Results, path: Path) -> frozenset[str]:
    """Draw with long names shortened, in fonts that have their letters."""
    values = sorted({value for row in results.rows for found in row.groups.values() for value in found})
    models = results.models()
    letters = lettering([results.task, results.group, *models, *values])
    name_of = dict(zip(models, letters.names(models), strict=True))
    value_of = dict(zip(values, letters.names(values), strict=True))

    def by_value(found: Mapping[str, float]) -> dict[str, float]:
        return {value_of.get(value, value): number for value, number in found.items()}

    rows = [
        replace(row, model=name_of[row.model], groups={split: by_value(found) for split, found in row.groups.items()})
        for row in results.rows
    ]
    shown = replace(
        results, task=letters.name(results.task), group=letters.name(results.group), rows=rows,
        ceilings={subset: by_value(found) for subset, found in results.ceilings.items()},
    )  # fmt: skip
    return saved(draw(shown), letters, path)


def _family(results: Results, model: str) -> Family:
    return results.of(model)[0].family


def _legend(results: Results, axes: Axes) -> None:
    families = list(dict.fromkeys(row.family for row in results.rows))
    handles = [
        Line2D([], [], color=COLORS[family], marker=MARKERS[family], linestyle="", label=family) for family in families
    ]
    axes.legend(handles=handles, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _scores(results: Results) -> Figure:
    models = results.models()[::-1]
    figure, (axes,) = new_figure(8, 1.6 + 0.45 * len(models))
    for place, model in enumerate(models):
        family, found = _family(results, model), results.scores(model)
        spread = Spread.of(found)
        axes.barh(place, spread.mean, color=COLORS[family], alpha=0.75, height=0.65)
        axes.plot(found, [place] * len(found), MARKERS[family], color="black", markersize=4, clip_on=False)
        axes.annotate(str(spread), (max(found), place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    metric, most = spelt(results.metric), max(score for model in models for score in results.scores(model))
    axes.set(yticks=range(len(models)), yticklabels=models, xlabel=f"test {metric} (bar: mean, marks: seeds)")
    if results.higher_is_better and most <= 1:  # a fraction
        axes.set_xlim(0, 1.12)
        axes.set_xticks(np.linspace(0, 1, 6))
    else:
        axes.set_xlim(right=1.12 * most)
    axes.set_title(f"{results.task}: test {metric} by model", loc="left")
    _legend(results, axes)
    return figure


def _curves(results: Results) -> Figure:
    figure, (axes,) = new_figure(8, 4.5)
    used: dict[Family, int] = {}
    for model in results.models():
        family = _family(results, model)
        line = LINES[used.get(family, 0) % len(LINES)]
        used[family] = used.get(family, 0) + 1
        histories = [row.history for row in results.of(model)]
        epochs = range(1, 1 + min(len(history) for history in histories))
        scores = [mean(history[epoch - 1][f"valid_{results.metric}"] for history in histories) for epoch in epochs]
        label = f"{model} ({mean(row.train_seconds for row in results.of(model)):.0f} s)"
        axes.plot(epochs, scores, line, color=COLORS[family], label=label, linewidth=1.8)
    axes.set(xlabel="epoch", ylabel=f"validation {spelt(results.metric)} (mean over seeds)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{results.task}: validation {spelt(results.metric)} while training", loc="left")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), title="model (training time)")
    return figure


def _speed(results: Results) -> Figure:
    figure, (axes,) = new_figure(8, 4.5)
    for model in results.models():
        family, rows = _family(results, model), results.of(model)
        speed, score = mean(row.samples_per_second for row in rows), results.score(model)
        axes.plot(speed, score, MARKERS[family], color=COLORS[family], markersize=9)
        axes.annotate(model, (speed, score), xytext=(8, 4), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.12)
    metric = spelt(results.metric)
    axes.set(xlabel="test samples per second, collating and forward pass (log scale)", ylabel=f"test {metric}")
    axes.set_title(f"{results.task}: {metric} against inference speed", loc="left")
    _legend(results, axes)
    return figure


def _groups(results: Results) -> Figure:
    models = results.models()
    columns = {model: results.by_group(model) for model in models}
    columns |= {f"ceiling\n{subset.replace('+', ' + ')}": dict(found) for subset, found in results.ceilings.items()}
    found = sorted({value for model in models for value in columns[model]})
    values = found[:MOST_VALUES]
    numbers = np.array([[column.get(value, np.nan) for column in columns.values()] for value in values])
    figure, (axes,) = new_figure(2.5 + 0.75 * len(columns), 2.2 + 0.36 * len(values))
    most = 1.0 if np.nanmax(numbers) <= 1 else float(np.nanmax(numbers))
    axes.imshow(numbers, cmap="cividis", vmin=0, vmax=most, aspect="auto")
    for (row, column), number in np.ndenumerate(numbers):
        shade = "black" if number > 0.6 * most else "white"
        axes.text(column, row, f"{number:.2f}", ha="center", va="center", fontsize=8, color=shade)
    if results.ceilings:
        axes.axvline(len(models) - 0.5, color="white", linewidth=4)
    axes.set_yticks(range(len(values)), values)
    axes.set_xticks(range(len(columns)), list(columns), rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    few = f" (the first {len(values)} of {len(found)})" if len(found) > len(values) else ""
    measure = spelt(results.sample_metric)
    axes.set_title(f"{results.task}: test {measure} by {results.group}, mean over seeds{few}", loc="left")
    return figure
