"""What a run writes: the numbers before the plots, names as they stand, probabilities explained."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gnnfuse.workflow import plots, report
from gnnfuse.workflow.plots import draw_confusion, draw_labels, draw_scatter
from gnnfuse.workflow.report import report_text
from gnnfuse.workflow.targets.label_task import label_scores

NAMES = ["$5 & under", "$10_$20", "<b>|`x`", "中国人民", "\N{DOG FACE}" * 3, "a" * 400, "a" * 399 + "b"]


def results(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "table": "a|b.csv",
        "columns": {"text": ["`t`"], "target": ["y"]},
        "task": "classification",
        "task_reason": "column <y> holds texts",
        "classes": ["often", "<rare>"],
        "splits": {"rule": "by hash", "fractions": None, "train": 8, "valid": 1, "test": 1},
        "rows": {"in": 10, "left_out": 0},
        "cells_taken_for_empty": 0,
        "present": {},
        "model": {"name": "graph", "trained_parameters": 5, "encoders": []},
        "training": {"cached": [], "class_weights": None, "threshold": None},
        "members": [],
        "blended": "",
        "epochs": 1,
        "best_epoch": 1,
        "stopped": "epochs",
        "seconds": 1.0,
        "metrics": {"valid": {"accuracy": 0.5}, "test": {"accuracy": 0.25}},
    }
    return found | changes


@pytest.mark.usefixtures("unchecked")  # of plan and report only the plots would read anything
def test_a_plot_that_fails_costs_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def fails(_: Path) -> frozenset[str]:
        written.extend(path.name for path in tmp_path.iterdir())
        raise ValueError("no\nroom")

    def succeeds(path: Path) -> frozenset[str]:
        path.write_bytes(b"")
        return frozenset()

    drawings = {"curves.png": ("Losses", fails), "confusion.png": ("Targets and predictions", succeeds)}
    monkeypatch.setattr(report, "_drawings", lambda *_: drawings)
    unread: Any = None
    notes = report.write_report(results(), unread, unread, tmp_path)
    assert {"results.json", "report.md"} <= set(written)
    assert notes == ("curves.png could not be drawn: ValueError: no room",)
    text = (tmp_path / "report.md").read_text()
    assert notes[0] in text
    assert "(curves.png)" not in text
    assert "(confusion.png)" in text
    assert json.loads((tmp_path / "results.json").read_text())["metrics"] == results()["metrics"]


def test_any_names_can_be_drawn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_confusion(NAMES * 2, NAMES + NAMES[::-1], NAMES, tmp_path / "confusion.png")
        draw_labels(dict.fromkeys(NAMES, 0.5), dict.fromkeys(NAMES, 3), "test", tmp_path / "labels.png")
        draw_scatter(np.eye(7), np.eye(7), NAMES, tmp_path / "scatter.png")
    for name in ("confusion", "labels", "scatter"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert max(picture.size) < 3000


def test_a_vector_of_numbers_is_drawn_in_a_few_panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    targets = np.random.default_rng(0).normal(size=(5000, 300))
    off = np.zeros(300)
    off[[7, 200]] = 3.0
    draw_scatter(targets, targets + off, [f"y[{n}]" for n in range(300)], tmp_path / "unused.png")
    [figure] = drawn
    assert len(figure.axes) == plots.MOST_PANELS
    assert {axes.get_title() for axes in figure.axes} >= {"y[7]", "y[200]"}
    assert all(len(axes.lines[1].get_xdata()) == plots.MOST_POINTS for axes in figure.axes)
    assert "12 of 300 numbers" in figure.get_suptitle()
    assert "2,000 of 5,000 samples" in figure.get_suptitle()


def test_labels_that_do_not_occur_have_no_score() -> None:
    assert label_scores([("a",), ("b",)], [("a",), ()], ("a", "b", "c")) == {"a": 1.0, "b": 0.0}


def test_names_in_the_report_are_text() -> None:
    text = report_text(results(), {})
    assert r"# a\|b.csv: classification" in text
    assert r"column \<y\> holds texts" in text
    assert "- text: `` `t` ``" in text


def test_the_report_explains_weighted_probabilities() -> None:
    assert "weighted" not in report_text(results(), {})
    assert "calibration" not in report_text(results(), {})
    measured = results(metrics={"valid": {"accuracy": 0.5, "expected_calibration_error": 0.1}})
    assert "probability of the most probable class and how often it is right" in report_text(measured, {})
    training: dict[str, Any] = {"cached": [], "class_weights": (0.5, 4.0), "threshold": None}
    assert "times weight: `often` 0.5, `<rare>` 4." in report_text(results(training=training), {})
    labels = report_text(results(training=training | {"class_weights": (1.0, 4.0), "threshold": 0.5}), {})
    assert "from this probability on: `often` 0.5, `<rare>` 0.2." in labels


def test_the_errors_of_many_numbers_are_in_the_results_only() -> None:
    def metrics(count: int) -> dict[str, Any]:
        each = {f"mean_absolute_error.y[{n}]": 1.0 for n in range(count)}
        return {"valid": {"normalized_mean_absolute_error": 0.5, **each}}

    few, many = (report_text(results(metrics=metrics(count)), {}) for count in (3, 300))
    assert few.count("mean absolute error of y") == 3
    assert "mean absolute error of y" not in many
    assert "The errors of each number are in results.json." in many


def test_the_report_states_the_coverage_that_was_promised_and_found() -> None:
    assert "are made to contain" not in report_text(results(), {})
    training: dict[str, Any] = {"cached": [], "class_weights": None, "threshold": None, "coverage": 0.9}
    found = (("valid", 0.5), ("test", 0.876))
    sets = {split: {"label_set_coverage": share, "label_set_size": 2.0} for split, share in found}
    text = report_text(results(training=training, metrics=sets), {})
    assert "contain all that is true with a probability of 90%; the coverage of test rows is 87.6%." in text
    numbers = {f"interval_{what}.{name}": 0.5 for what in ("coverage", "width") for name in ("a", "b")}
    text = report_text(results(training=training, metrics={"valid": numbers}), {})
    assert "contain the number with a probability of 90%; the coverage of valid rows is a 50.0%, b 50.0%." in text


def test_the_report_states_how_targets_are_learnt() -> None:
    assert r"- a \<b\> is skewed." in report_text(results(target_notes=["a <b> is skewed"]), {})
