"""Plots of a run: what they count, and what they say."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from gnnfuse.workflow.plots import (
    MOST_CLASSES,
    OTHERS,
    confusion,
    draw_confusion,
    draw_curves,
    draw_labels,
    draw_reliability,
    wilson,
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, as they are."""
    found: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: found.append(figure))
    return found


def test_shares_are_of_all_samples_of_a_class_also_beyond_the_classes_shown(drawn: list[Figure]) -> None:
    """Class 0 is right once in four; its other samples are taken for a class that is not shown."""
    classes = [f"{number:02}" for number in range(MOST_CLASSES + 5)]
    targets, predictions = [*classes[:MOST_CLASSES] * 4], [*classes[:MOST_CLASSES] * 4]
    wrong = [place for place, name in enumerate(targets) if name == "00"][1:]
    for place in wrong:
        predictions[place] = classes[-1]
    rows, columns, counts = confusion(targets, predictions, classes, MOST_CLASSES)
    assert (len(rows), columns[-1]) == (MOST_CLASSES, OTHERS)
    assert counts.sum(axis=1).tolist() == [4] * MOST_CLASSES
    draw_confusion(targets, predictions, classes, Path("unused.png"))
    axes = drawn[0].axes[0]
    shares = np.asarray(axes.images[0].get_array())
    assert shares[0, 0] == 0.25
    assert shares[0, -1] == 0.75
    assert axes.get_xticklabels()[-1].get_text() == OTHERS


def test_a_few_classes_need_no_others() -> None:
    rows, columns, counts = confusion(["a", "b", "b"], ["a", "a", "b"], ["a", "b", "c"], 40)
    assert rows == columns == ["b", "a", "c"]
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("epochs", [1, 3, 60])
def test_every_curve_can_be_seen_and_epochs_are_whole(drawn: list[Figure], epochs: int) -> None:
    entry = {"train_loss": 1.0, "valid_loss": 1.5, "valid_accuracy": 0.5}
    draw_curves([entry] * epochs, "accuracy", 0, Path("unused.png"))
    for axes in drawn[0].axes:
        assert epochs > 1 or all(line.get_marker() == "o" for line in axes.lines[:1])
        low, high = axes.get_xlim()
        assert all(tick == int(tick) for tick in axes.get_xticks() if low <= tick <= high)


def test_curves_of_a_run_without_validation_are_its_training_loss(tmp_path: Path) -> None:
    draw_curves([{"train_loss": 1.0, "seconds": 1.0}] * 3, "accuracy", 2, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_labels_are_of_the_split_that_was_measured(drawn: list[Figure]) -> None:
    draw_labels({"red": 0.5}, {"red": 3}, "valid", Path("unused.png"))
    assert drawn[0].axes[0].get_xlabel() == "F1 on the valid split (in brackets: its samples that have the label)"


def test_reliability_is_of_every_bin_and_counts_all_predictions(drawn: list[Figure]) -> None:
    certain = [0.01, 0.03, 0.5, 0.5, 0.5, 0.5, 1.0]
    draw_reliability(certain, [True, False, True, True, True, False, True], "a label", Path("unused.png"))
    above, below = drawn[0].axes
    points = above.lines[1]
    assert np.asarray(points.get_xdata()) == pytest.approx([0.02, 0.5, 1.0])
    assert np.asarray(points.get_ydata()) == pytest.approx([0.5, 0.75, 1.0])
    assert sum(bar.get_height() for bar in below.patches) == len(certain)  # type: ignore[attr-defined]
    assert below.get_xlabel() == "probability of a label"


def test_intervals_of_shares_hold_what_has_their_probability() -> None:
    """Wilson's ends are where the share is 1.645 standard errors of the true probability away."""
    right, count = np.array([0.0, 3.0, 10.0]), np.array([10.0, 10.0, 10.0])
    for end in wilson(right, count):
        standard_error = np.sqrt(np.clip(end * (1 - end), 0, 1) / count)
        assert np.abs(right / count - end) == pytest.approx(1.6448536 * standard_error, abs=1e-7)
