"""Plots of a training run: curves, a confusion matrix, predictions against targets, reliability.

Each is limited in size, whatever the number of classes, numbers and samples. Plots with names return the letters
that no installed font has (`lettering`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gnnfuse.draw.lettering import Lettering, inches, lettering
from gnnfuse.tasks.calibration import in_bins

# Okabe and Ito's colours, distinct for colour-blind readers; line styles repeat the distinction.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
MOST_CLASSES = 40  # with more, names are too small to read
FEW_EPOCHS = 10
MOST_PANELS, PER_ROW = 12, 4
MOST_POINTS = 2000  # per panel
SMALL = 8  # font size in points, of names on axes
LOSSES = ("train_loss", "valid_loss")
NORMAL_95 = 1.6448536269514722  # the normal distribution's 95% quantile
OTHERS = "other classes"


def draw_curves(history: Sequence[Mapping[str, float]], monitor: str, best_epoch: int, path: Path) -> frozenset[str]:
    """Losses and the watched validation metric by epoch; without validation only the training loss."""
    validated = "valid_loss" in history[0]
    figure, (losses, *others) = new_figure(9 if validated else 5, 3.8, 2 if validated else 1)
    epochs = range(1, len(history) + 1)
    dots = "o" if len(history) <= FEW_EPOCHS else None  # a line through one point shows nothing
    for name, style, color in zip(LOSSES[: 1 + validated], ("-", "--"), (BLUE, ORANGE), strict=False):
        label = {"train_loss": "training", "valid_loss": "validation"}[name]
        losses.plot(epochs, [entry[name] for entry in history], style, color=color, marker=dots, label=label)
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(frameon=False)
    for metric in others:
        metric.plot(epochs, [entry[f"valid_{monitor}"] for entry in history], color=GREEN, marker=dots)
        metric.axvline(best_epoch + 1, color="#8A8A8A", linestyle=":", linewidth=1.2)
        metric.set(xlabel="epoch (dotted: the one that was kept)", ylabel=f"validation {monitor.replace('_', ' ')}")
    for axes in (losses, *others):
        axes.set_xlim(0.5, len(history) + 0.5)  # a single epoch would have no integer ticks
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return saved(figure, lettering([monitor]), path)


def draw_confusion(
    targets: Sequence[str], predictions: Sequence[str], classes: Sequence[str], path: Path
) -> frozenset[str]:
    """Counts of samples by target and predicted class; with many classes, the most frequent and one for all others."""
    shown, columns, counts = confusion(targets, predictions, classes, MOST_CLASSES)
    letters = lettering(shown)
    names = letters.names(shown)
    room = max(inches(name, SMALL) for name in names)
    side = 1.6 + 0.34 * len(shown) + max(0.8, room)
    figure, (axes,) = new_figure(side + 1, side, 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "black" if shares[row, column] > 0.6 else "white"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=shade)
    others = [OTHERS] if len(columns) > len(shown) else []
    axes.set_xticks(
        range(len(columns)), [*names, *others], rotation=60, ha="right", rotation_mode="anchor", fontsize=SMALL
    )
    axes.set_yticks(range(len(shown)), names, fontsize=SMALL)
    axes.spines[["top", "right"]].set_visible(True)
    few = f" (the {MOST_CLASSES} most frequent of {len(classes)} classes)" if len(classes) > MOST_CLASSES else ""
    axes.set(xlabel="predicted", ylabel="target")
    axes.set_title(f"samples by target and prediction{few}", loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the target's samples", shrink=0.8)
    return saved(figure, letters, path)


def confusion(
    targets: Sequence[str], predictions: Sequence[str], classes: Sequence[str], most: int
) -> tuple[list[str], list[str], Int[np.ndarray, "targets predictions"]]:
    """The row classes (targets), the column classes (predictions), and the counts of samples by both.

    Args:
        targets: the samples' classes.
        predictions: the predicted classes.
        classes: all classes.
        most: maximum rows; of more classes, the most frequent are shown and one more column counts all others.

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
    targets: Float[np.ndarray, "samples numbers"],
    predictions: Float[np.ndarray, "samples numbers"],
    names: Sequence[str],
    path: Path,
) -> frozenset[str]:
    """Predictions against targets, a panel for each number; with many numbers, the worst predicted."""
    worst = worst_numbers(targets, predictions, MOST_PANELS)
    some = np.linspace(0, len(targets) - 1, min(len(targets), MOST_POINTS)).astype(int)
    letters = lettering(names[number] for number in worst)
    shown = letters.names([names[number] for number in worst], most=30)
    columns = min(len(worst), PER_ROW)
    rows = -(-len(worst) // columns)
    figure, panels = new_figure(4.6 * columns, 4.4 * rows, columns, rows)
    for axes, number, name in zip(panels, worst, shown, strict=False):
        x, y = targets[some, number], predictions[some, number]
        low, high = min(x.min(), y.min()), max(x.max(), y.max())
        axes.plot([low, high], [low, high], color="#8A8A8A", linewidth=1, label="exact")
        axes.plot(x, y, "o", color=BLUE, markersize=4, alpha=0.6, markeredgewidth=0)
        axes.set(xlabel="target", ylabel="predicted")
        axes.set_title(name, fontsize=10)
        axes.legend(frameon=False)
    for axes in panels[len(worst) :]:
        axes.set_axis_off()
    notes = [f"{len(worst)} of {len(names)} numbers: the largest errors against their spread"] * (
        len(names) > len(worst)
    )
    notes += [f"{len(some):,} of {len(targets):,} samples"] * (len(targets) > len(some))
    if notes:
        figure.suptitle("; ".join(notes), x=0.01, ha="left", fontsize=10)
    return saved(figure, letters, path)


def worst_numbers(
    targets: Float[np.ndarray, "samples numbers"], predictions: Float[np.ndarray, "samples numbers"], most: int
) -> list[int]:
    """Positions of the numbers with the largest mean errors relative to their standard deviation, in ascending order.

    Example:
        >>> targets = np.array([[0.0, 0.0, 0.0], [2.0, 200.0, 2.0]])
        >>> worst_numbers(targets, targets + [[1.0, 10.0, 0.5]], most=2)
        [0, 2]
    """
    spread = targets.std(axis=0)
    error = np.abs(predictions - targets).mean(axis=0) / np.where(spread > 0, spread, 1.0)
    return sorted(np.argsort(-error, kind="stable")[:most].tolist())


def draw_labels(scores: Mapping[str, float], counts: Mapping[str, int], split: str, path: Path) -> frozenset[str]:
    """F1 of each label, the most frequent ones on top."""
    shown = sorted(scores, key=lambda name: (-counts.get(name, 0), name))[:MOST_CLASSES][::-1]
    letters = lettering(shown)
    names = [f"{name} ({counts.get(own, 0)})" for own, name in zip(shown, letters.names(shown), strict=True)]
    figure, (axes,) = new_figure(
        6 + max((inches(name, SMALL) for name in names), default=0), 1.6 + 0.28 * len(shown), 1
    )
    axes.barh(range(len(shown)), [scores[name] for name in shown], color=BLUE, height=0.7)
    axes.set_yticks(range(len(shown)), names, fontsize=SMALL)
    few = f"; the {MOST_CLASSES} most frequent of {len(scores)}" if len(scores) > MOST_CLASSES else ""
    axes.set(xlim=(0, 1), xlabel=f"F1 on the {split} split (in brackets: its samples that have the label){few}")
    return saved(figure, letters, path)


def draw_reliability(probabilities: Sequence[float], true: Sequence[bool], what: str, path: Path) -> frozenset[str]:
    """How often predictions came true against their probability, by bins of it, and the number of them in each.

    Bars are 90% Wilson intervals of the frequency.

    Args:
        probabilities: of each prediction.
        true: whether it came true.
        what: the predictions, for the axes.
        path: the file to write.
    """
    sums = in_bins(torch.tensor(probabilities), torch.tensor(true, dtype=torch.float32)).numpy()
    certain, right, count = sums[:, sums[2] > 0]
    figure, (above, below) = new_figure(5.5, 6.2, 1, 2, heights=(3, 1))
    above.plot([0, 1], [0, 1], color="#8A8A8A", linewidth=1, label="calibrated")
    low, high = wilson(right, count)
    above.vlines(certain / count, low, high, color=BLUE, linewidth=1.2)
    above.plot(
        certain / count, right / count, "o", color=BLUE, markersize=5, clip_on=False, label="found (with 90% interval)"
    )
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that came true")
    above.legend(frameon=False, loc="upper left")
    edges = np.linspace(0, 1, len(sums[2]) + 1)
    below.bar(edges[:-1], sums[2], np.diff(edges), align="edge", color=BLUE, edgecolor="white")
    below.set(xlim=(0, 1), xlabel=f"probability of {what}", ylabel="predictions")
    below.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    return saved(figure, lettering([]), path)


def wilson(
    right: Float[np.ndarray, "bins"], count: Float[np.ndarray, "bins"]
) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "bins"]]:
    """The 90% confidence interval of a share (Wilson, 1927).

    Example:
        >>> low, high = wilson(np.array([1.0, 50.0]), np.array([10.0, 100.0]))
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([0.02, 0.42], [0.35, 0.58])
    """
    share, square = right / count, NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return middle - half, middle + half


def new_figure(
    width: float, height: float, columns: int = 1, rows: int = 1, *, heights: Sequence[float] | None = None
) -> tuple[Figure, tuple[Axes, ...]]:
    """A figure unknown to pyplot, and its panels row by row; `heights` are the relative heights of the rows."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = tuple(figure.subplots(rows, columns, squeeze=False, height_ratios=heights).flat)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def saved(figure: Figure, letters: Lettering, path: Path) -> frozenset[str]:
    """Write a figure in fonts that have its letters; returns those that none has."""
    letters.set(figure)
    figure.savefig(path, dpi=150)
    return letters.missing
