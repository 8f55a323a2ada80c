"""What a training run is looked at by: curves, a confusion matrix, predictions against targets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colours, told apart by colour-blind readers; line styles repeat the distinction.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
MOST_CLASSES = 40  # beyond that names are too small to read
FEW_EPOCHS = 10
LOSSES = ("train_loss", "valid_loss")
OTHERS = "other classes"


def draw_curves(history: Sequence[Mapping[str, float]], monitor: str, best_epoch: int, path: Path) -> None:
    """Losses and the watched validation metric by epoch."""
    figure, (losses, metric) = _figure(9, 3.8, 2)
    epochs = range(1, len(history) + 1)
    dots = "o" if len(history) <= FEW_EPOCHS else None  # a line through one point shows nothing
    train, valid, watched = ([entry[name] for entry in history] for name in (*LOSSES, f"valid_{monitor}"))
    losses.plot(epochs, train, color=BLUE, marker=dots, label="training")
    losses.plot(epochs, valid, "--", color=ORANGE, marker=dots, label="validation")
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(frameon=False)
    metric.plot(epochs, watched, color=GREEN, marker=dots)
    metric.axvline(best_epoch + 1, color="#8A8A8A", linestyle=":", linewidth=1.2)
    metric.set(xlabel="epoch (dotted: the one that was kept)", ylabel=f"validation {monitor.replace('_', ' ')}")
    for axes in (losses, metric):
        axes.set_xlim(0.5, len(history) + 0.5)  # around one epoch there are no whole numbers
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.savefig(path, dpi=150)


def draw_confusion(targets: Sequence[str], predictions: Sequence[str], classes: Sequence[str], path: Path) -> None:
    """How many samples of each class were taken for which; of many classes the most frequent, and all others as one."""
    shown, columns, counts = confusion(targets, predictions, classes, MOST_CLASSES)
    side = 2.4 + 0.34 * len(shown)
    figure, (axes,) = _figure(side + 1, side, 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "black" if shares[row, column] > 0.6 else "white"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=shade)
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(shown)), shown, fontsize=8)
    axes.spines[["top", "right"]].set_visible(True)
    few = f" (the {MOST_CLASSES} most frequent of {len(classes)} classes)" if len(classes) > MOST_CLASSES else ""
    axes.set(xlabel="predicted", ylabel="target")
    axes.set_title(f"samples by target and prediction{few}", loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the target's samples", shrink=0.8)
    figure.savefig(path, dpi=150)


def confusion(
    targets: Sequence[str], predictions: Sequence[str], classes: Sequence[str], most: int
) -> tuple[list[str], list[str], Int[np.ndarray, "targets predictions"]]:
    """The classes of rows, those of columns, and how many samples of the former were taken for which of the latter.

    Args:
        targets: what the samples are.
        predictions: what they were taken for.
        classes: all that there are.
        most: rows; of more classes the most frequent stand there, and whatever else was predicted is one more column.

    Example:
        >>> rows, columns, counts = confusion(["a", "a", "b"], ["a", "c", "b"], ["a", "b", "c"], most=1)
        >>> rows, columns, counts.tolist()
        (['a'], ['a', 'other classes'], [[1, 1]])
    """
    often = Counter(targets)
    rows = sorted(classes, key=lambda name: (-often[name], name))[:most]
    columns = rows if len(rows) == len(classes) else [*rows, OTHERS]
    place = {name: number for number, name in enumerate(rows)}
    counts = np.zeros((len(rows), len(columns)), dtype=int)
    for target, predicted in zip(targets, predictions, strict=True):
        if target in place:
            counts[place[target], place.get(predicted, len(columns) - 1)] += 1
    return rows, columns, counts


def draw_scatter(
    targets: Sequence[Sequence[float]], predictions: Sequence[Sequence[float]], names: Sequence[str], path: Path
) -> None:
    """Predictions against targets, a panel for each number."""
    figure, panels = _figure(4.6 * len(names), 4.4, len(names))
    for number, (axes, name) in enumerate(zip(panels, names, strict=True)):
        x, y = [row[number] for row in targets], [row[number] for row in predictions]
        low, high = min([*x, *y]), max([*x, *y])
        axes.plot([low, high], [low, high], color="#8A8A8A", linewidth=1, label="exact")
        axes.plot(x, y, "o", color=BLUE, markersize=4, alpha=0.6, markeredgewidth=0)
        axes.set(xlabel=f"{name}, target", ylabel=f"{name}, predicted")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def draw_labels(scores: Mapping[str, float], counts: Mapping[str, int], split: str, path: Path) -> None:
    """F1 of each label, the most frequent ones on top."""
    shown = sorted(scores, key=lambda name: (-counts.get(name, 0), name))[:MOST_CLASSES][::-1]
    figure, (axes,) = _figure(7, 1.6 + 0.28 * len(shown), 1)
    axes.barh(range(len(shown)), [scores[name] for name in shown], color=BLUE, height=0.7)
    axes.set_yticks(range(len(shown)), [f"{name} ({counts.get(name, 0)})" for name in shown], fontsize=8)
    axes.set(xlim=(0, 1), xlabel=f"F1 on the {split} split (in brackets: its samples that have the label)")
    figure.savefig(path, dpi=150)


def _figure(width: float, height: float, panels: int) -> tuple[Figure, tuple[Axes, ...]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = tuple(figure.subplots(1, panels, squeeze=False)[0])
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes
