"""What is refused before any file is read, and what is kept in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Features, TextTokens
from gnnfuse.observer import Observer
from gnnfuse.sample import Rows, Sample
from gnnfuse.tables import ColumnOptions
from gnnfuse.train.graphs import graph_bytes, prepare
from gnnfuse.workflow import FitOptions, default_config, fit, training_samples
from tests.told import Told


def words(label: Callable[[int], object]) -> list[dict[str, object]]:
    return [{"keys": f"word {number % 5}", "size": number / 7, "label": label(number)} for number in range(40)]


def run(folder: Path, table: list[dict[str, object]], observer: Observer | None = None, **options: Any) -> Any:
    chosen = FitOptions(**{"model": "graph", "dim": 8, "depth": 1, **options})
    config = default_config(epochs=1, device="cpu", batch_size=8)
    columns = ColumnOptions(text="keys", features="size", target="label")
    return fit(table, out=folder, columns=columns, options=chosen, config=config, observer=observer)


def even(number: int) -> str:
    return "yn"[number % 2]


@pytest.mark.parametrize(
    ("label", "options", "part"),
    [
        (lambda _: "yes", {}, r"found 1 class \('yes'\) in the training rows, expected at least two"),
        (lambda _: [], {"kind": "multilabel"}, "found no label in any of the training rows"),
        (even, {"model": "unimodal"}, "means 2 models, expected one of unimodal:keys, unimodal:size|unimodal:features"),
        (even, {"model": "unimodal:kyes"}, "unknown signal 'kyes', did you mean 'keys'"),
        (even, {"dim": 7}, "7"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_files_are_read(
    tmp_path: Path, label: Callable[[int], object], options: dict[str, Any], part: str
) -> None:
    observer = Told()
    with pytest.raises(ValueError, match=part):
        run(tmp_path / "model", words(label), observer, **options)
    assert "reading rows" not in observer.counted
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"model": "grahp"}, "unknown model 'grahp', did you mean 'graph'"),
        ({"model": "unimdal:keys"}, "unknown model 'unimdal', did you mean 'unimodal'"),
        ({"model": "concat:keys"}, "model 'concat' has no variants, found 'concat:keys'"),
        ({"model": "unimodal", "kind": "regresion"}, "unknown kind of target 'regresion', did you mean 'regression'"),
        ({"model": Features}, "found .* among the models, expected names"),
    ],
)
def test_options_without_meaning_are_refused_before_there_is_a_table(options: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        FitOptions(**options)


def test_classes_that_unreadable_rows_take_along_are_refused_after_reading(tmp_path: Path) -> None:
    table = [{**row, "size": "0.5" if number % 2 else "?"} for number, row in enumerate(words(even))]
    with pytest.raises(ValueError, match=r"found 1 class \('n'\) in the training rows"):
        run(tmp_path, table, on_error="skip")


def test_one_signal_alone_is_named_as_its_column_is(tmp_path: Path) -> None:
    """`keys` is no name of a node type, as torch's dictionaries of modules have a method of that name."""
    fitted = run(tmp_path, words(even), model="unimodal:keys")
    assert fitted.task.model.modality == "keys_"


def test_a_table_without_a_target_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found no target column; name it with --target .* one of .*species"):
        fit([{"text": "it purrs", "species": "cat"}] * 9, out=tmp_path, columns=ColumnOptions(text="text"))


def test_memory_of_graphs_is_told_from_some_of_them() -> None:
    builder = GraphBuilder([TextTokens(), Features(signal="rows", width=64)])
    samples = [
        Sample({"text": "a" * (number % 50 + 1), "rows": Rows(np.zeros((9, 64), dtype=np.float32))})
        for number in range(640)
    ]
    exact = sum(graph.num_bytes for graph in prepare(builder, samples))
    assert exact > 640 * 9 * 64 * 4
    assert graph_bytes(builder, samples) == pytest.approx(exact, rel=0.1)
    assert graph_bytes(builder, []) == 0


def test_graphs_beyond_the_memory_for_them_are_made_anew_in_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, anew = Told(), Told()
    one = run(tmp_path / "kept", words(even), kept, augment=False)
    monkeypatch.setattr(training_samples, "IN_MEMORY", 1000)
    other = run(tmp_path / "anew", words(even), anew, augment=False)
    assert (kept.counted["building graphs"], anew.counted["building graphs"]) == (34, 0)
    assert any(
        line.startswith("train rows are read in every epoch: their graphs would take about") for line in anew.lines
    )
    assert one.report.history[0]["train_loss"] == other.report.history[0]["train_loss"]
