"""A table in; a model, its report and its answers out."""

import csv
import json
import re
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from PIL import Image

from gnnfuse import fit_defaults
from gnnfuse.observer import Advance, Observer
from gnnfuse.saving import from_pretrained
from gnnfuse.tables import Blanks, ColumnOptions, Columns, OpenOptions, open_table
from gnnfuse.tasks import BinaryCrossEntropy, Classification, CrossEntropy, MultiLabel, Regression, Task
from gnnfuse.train import evaluate
from gnnfuse.workflow import (
    FitOptions,
    Fitted,
    TableNote,
    default_config,
    embed,
    fit,
    fit_table,
    plots,
    predict,
)
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.table_plan import plan_table
from tests.told import Told

ROWS = 40
SMALL = FitOptions(model="graph", dim=16, depth=1)
WORDS = ColumnOptions(text="text", target="label")


def quick(**changes: Any) -> Any:
    return default_config(**{"epochs": 2, "device": "cpu", "batch_size": 8, **changes})


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, recordings, words and a number; every fifth recording and every seventh word is missing."""
    folder = tmp_path_factory.mktemp("pets")
    rng = np.random.default_rng(0)
    lines = ["name,photo,clip,word,weight,species"]
    for number in range(ROWS):
        species = ("cat", "dog")[number % 2]
        pixels = rng.integers(0, 80, (24, 24, 3)) + (150 if species == "cat" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        soundfile.write(folder / f"{number}.wav", rng.uniform(-0.1, 0.1, 1600), 8000)
        clip = f"{number}.wav" if number % 5 else ""
        word = f"{species} number {number}" if number % 7 else ""
        lines.append(f"pet {number},{number}.png,{clip},{word},{number % 2 + rng.random():.2f},{species}")
    (folder / "pets.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def fitted(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    out = tmp_path_factory.mktemp("model")
    return fit(
        media / "pets.csv", out=out, columns=ColumnOptions(id="name", target="species"), options=SMALL, config=quick()
    )


def weights_of(task: Task) -> tuple[float, ...] | None:
    first = task.objectives[0]
    assert isinstance(first, CrossEntropy | BinaryCrossEntropy)
    return first.class_weights


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_kind_of_column_becomes_nodes(fitted: Fitted) -> None:
    names = {node_type.name for node_type in fitted.task.builder.node_types}
    assert names == {"photo", "clip", "word", "features", "hub"}
    assert isinstance(fitted.task, Classification)
    assert fitted.task.classes == ("cat", "dog")


def test_the_folder_holds_model_report_and_results(fitted: Fitted) -> None:
    files = {path.name for path in fitted.folder.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "table.json", "results.json", "report.md"} <= files
    assert {"curves.png", "confusion.png", "rejects.csv"} <= files
    results = json.loads((fitted.folder / "results.json").read_text())
    assert results["metrics"]["test"] == fitted.metrics["test"]
    assert sum(results["splits"][name] for name in ("train", "valid", "test")) == ROWS == results["rows"]["in"]
    report = (fitted.folder / "report.md").read_text()
    assert f"{fitted.metrics['test']['accuracy']:.4g}" in report
    assert "![" in report


def test_signals_are_counted_in_the_order_of_the_columns(fitted: Fitted) -> None:
    """Not in that of a set, which changes from process to process."""
    for counts in json.loads((fitted.folder / "results.json").read_text())["present"].values():
        assert list(counts) == ["photo", "clip", "word", "features"]
    report = (fitted.folder / "report.md").read_text()
    assert re.findall(r"^- `(\w+)` is present in \d+ of", report, flags=re.MULTILINE) == list(counts)


def test_a_saved_model_says_what_the_fitted_one_says(fitted: Fitted, media: Path, tmp_path: Path) -> None:
    note = TableNote.read(fitted.folder)
    predict(fitted.folder, media / "pets.csv", out=tmp_path / "saved.csv", device="cpu")
    predict(fitted.task, media / "pets.csv", out=tmp_path / "fitted.csv", device="cpu", note=note)
    assert (tmp_path / "saved.csv").read_text() == (tmp_path / "fitted.csv").read_text()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_one_row_out_for_every_row_in(fitted: Fitted, media: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"said.{ending}"
    predict(fitted.folder, media / "pets.csv", out=path, device="cpu", batch_size=7)
    if ending == "csv":
        found: list[dict[str, Any]] = list(rows_of(path))
    elif ending == "jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        found = pq.read_table(path).to_pylist()
    assert [row["name"] for row in found] == [f"pet {number}" for number in range(ROWS)]
    for row in found:
        scores = {name: float(row[f"probability_{name}"]) for name in ("cat", "dog")}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert row["prediction"] == max(scores, key=lambda name: scores[name])


def test_predictions_do_not_depend_on_the_batch(fitted: Fitted, media: Path, tmp_path: Path) -> None:
    for size in (1, 64):
        predict(fitted.folder, media / "pets.csv", out=tmp_path / f"{size}.csv", device="cpu", batch_size=size)
    alone, together = (rows_of(tmp_path / f"{size}.csv") for size in (1, 64))
    for one, other in zip(alone, together, strict=True):
        assert float(one["probability_cat"]) == pytest.approx(float(other["probability_cat"]), abs=1e-5)


@pytest.mark.parametrize("column", ["photo", "clip", "word", "weight"])
def test_a_missing_column_is_a_missing_modality(fitted: Fitted, media: Path, tmp_path: Path, column: str) -> None:
    rows = rows_of(media / "pets.csv")
    without = [{name: cell for name, cell in row.items() if name != column} for row in rows]
    emptied = [{**row, column: ""} for row in rows]
    told = Told()
    for name, table in (("without", without), ("emptied", emptied)):
        predict(
            fitted.folder,
            table,
            out=tmp_path / f"{name}.csv",
            opening=OpenOptions(media=media),
            device="cpu",
            observer=told,
        )
    assert (tmp_path / "without.csv").read_text() == (tmp_path / "emptied.csv").read_text()
    assert f"missing columns, treated as empty: {column}" in told.lines


def test_a_table_with_none_of_the_columns_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none of the columns photo, clip, word, weight"):
        predict(fitted.folder, [{"other": "x"}], out=tmp_path / "said.csv", device="cpu")
    assert not list(tmp_path.iterdir())  # nothing half-written


def test_fused_vectors_are_written_with_ids(fitted: Fitted, media: Path, tmp_path: Path) -> None:
    for ending in ("npy", "parquet"):
        embed(fitted.folder, media / "pets.csv", out=tmp_path / f"vectors.{ending}", device="cpu")
    array = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    table = pq.read_table(tmp_path / "vectors.parquet").to_pylist()
    ids = [row["name"] for row in rows_of(tmp_path / "vectors.npy.ids.csv")]
    assert array.shape == (ROWS, 16)
    assert array.dtype == np.float32
    assert ids == [row["name"] for row in table] == [f"pet {number}" for number in range(ROWS)]
    np.testing.assert_array_equal(array, np.array([row["embedding"] for row in table], dtype=np.float32))


def test_unknown_endings_are_refused_before_anything_is_read(fitted: Fitted, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found ending '\.xls', expected one of \.csv"):
        predict(fitted.folder, [{"word": "x"}], out=tmp_path / "said.xls")
    with pytest.raises(ValueError, match=r"found ending '\.csv', expected one of \.parquet, \.npy"):
        embed(fitted.folder, [{"word": "x"}], out=tmp_path / "vectors.csv")


def test_answers_never_replace_the_table(fitted: Fitted, media: Path, tmp_path: Path) -> None:
    rows = (media / "pets.csv").read_bytes()
    table = tmp_path / "copy.csv"
    table.write_bytes(rows)
    (tmp_path / "link.csv").symlink_to(table)
    for out in (table, tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="found the table itself"):
            predict(fitted.folder, table, out=out, opening=OpenOptions(media=media), device="cpu")
    assert table.read_bytes() == rows
    (tmp_path / "vectors.parquet").write_bytes(b"a part of it")
    with pytest.raises(ValueError, match="found a file of the table's folder"):
        embed(fitted.folder, tmp_path, out=tmp_path / "vectors.parquet", opening=OpenOptions(media=media), device="cpu")
    assert (tmp_path / "vectors.parquet").read_bytes() == b"a part of it"


def test_an_id_column_that_would_be_overwritten_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    table = [{"prediction": "a", "word": "x"}]
    with pytest.raises(ValueError, match="the id column 'prediction' has the name of a column"):
        predict(fitted.folder, table, out=tmp_path / "said.csv", id="prediction", device="cpu")
    assert not list(tmp_path.iterdir())


def test_damaged_rows_stop_or_lose_a_cell_or_go(fitted: Fitted, media: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (24, 24)).save(tmp_path / "good.png")
    table = [{"name": "a", "photo": "good.png", "word": "x"}, {"name": "b", "photo": "bad.png", "word": "y"}]

    def said(on_error: Any) -> list[dict[str, str]]:
        out = tmp_path / f"{on_error}.csv"
        predict(fitted.folder, table, out=out, opening=OpenOptions(media=tmp_path), on_error=on_error, device="cpu")
        return rows_of(out)

    with pytest.raises(ValueError, match="row 2, 'b', column 'photo': found unreadable picture"):
        said("stop")
    assert not (tmp_path / "stop.csv").exists()
    assert [row["name"] for row in said("missing")] == ["a", "b"]
    assert [row["name"] for row in said("skip")] == ["a"]
    (reject,) = rows_of(tmp_path / "skip.csv.rejects.csv")
    assert (reject["row"], reject["id"], reject["column"], reject["left_out"]) == ("2", "b", "photo", "row")
    predict(fitted.folder, table[:1], out=tmp_path / "skip.csv", opening=OpenOptions(media=tmp_path), device="cpu")
    assert not (tmp_path / "skip.csv.rejects.csv").exists()  # it was of the answers before
    predict(fitted.folder, [{**table[1], "photo": ""}], out=tmp_path / "empty.csv", device="cpu")
    together, alone = said("missing")[1], rows_of(tmp_path / "empty.csv")[0]
    assert together["prediction"] == alone["prediction"]
    for name in ("probability_cat", "probability_dog"):  # of two rows and of one: sums in another order
        assert float(together[name]) == pytest.approx(float(alone[name]), abs=1e-5)


def test_a_number_that_cannot_be_read_costs_its_cell_alone(tmp_path: Path) -> None:
    table = [{**row, "x": "a lot" if number % 7 == 0 else str(row["x"])} for number, row in enumerate(numbers_table())]
    options = FitOptions(model="graph", dim=16, depth=1, on_error="missing")
    found = fit(
        table,
        out=tmp_path / "model",
        columns=ColumnOptions(features=["x", "y"], target="both"),
        options=options,
        config=quick(epochs=1),
    )
    rejects = rows_of(tmp_path / "model" / "rejects.csv")
    assert {(each["column"], each["left_out"]) for each in rejects} == {("x", "cell")}
    assert len(rejects) == len(range(0, ROWS, 7))
    for name, first in (("bad", {"x": "a lot", "y": 1}), ("empty", {"x": None, "y": 1}), ("none", {"x": "a lot"})):
        predict(found.folder, [{"y": None, **first}], out=tmp_path / f"{name}.csv", on_error="missing", device="cpu")
    assert rows_of(tmp_path / "bad.csv") == rows_of(tmp_path / "empty.csv") != rows_of(tmp_path / "none.csv")
    (reject,) = rows_of(tmp_path / "bad.csv.rejects.csv")
    assert (reject["column"], reject["left_out"]) == ("x", "cell")
    told = Told()
    predict(found.folder, [{"y": 1}], out=tmp_path / "lacking.csv", device="cpu", observer=told)
    assert rows_of(tmp_path / "lacking.csv") == rows_of(tmp_path / "empty.csv")
    assert "missing columns, treated as empty: x" in told.lines


def numbers_table() -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(ROWS, 2))
    return [{"x": float(x), "y": float(y), "both": float(x + y), "less": float(x - y)} for x, y in values]


def test_several_numbers_are_a_vector(tmp_path: Path) -> None:
    found = fit(
        numbers_table(),
        out=tmp_path / "model",
        columns=ColumnOptions(features=["x", "y"], target=["both", "less"]),
        options=SMALL,
        config=quick(),
    )
    assert isinstance(found.task, Regression)
    assert (tmp_path / "model" / "predictions.png").exists()
    names = [
        f"{error}.{name}"
        for error in ("mean_absolute_error", "root_mean_squared_error", "r2")
        for name in ("both", "less")
    ]
    assert set(found.metrics["test"]) == {"normalized_mean_absolute_error", *names}
    report = (tmp_path / "model" / "report.md").read_text()
    assert f"| mean absolute error of less | {found.metrics['valid']['mean_absolute_error.less']:.4g} |" in report
    predict(found.folder, numbers_table(), out=tmp_path / "said.csv", device="cpu")
    assert list(rows_of(tmp_path / "said.csv")[0]) == ["row", "prediction_both", "prediction_less"]


def test_labels_come_back_as_they_were_written(tmp_path: Path) -> None:
    tags = ["red|round", "red", "round", "blue|round"]
    table = [{"text": tags[number % 4] * 2, "tags": tags[number % 4]} for number in range(ROWS)]
    found = fit(
        table, out=tmp_path / "model", columns=ColumnOptions(text="text", target="tags"), options=SMALL, config=quick()
    )
    assert isinstance(found.task, MultiLabel)
    assert found.task.classes == ("blue", "red", "round")
    assert (tmp_path / "model" / "labels.png").exists()
    predict(found.folder, table, out=tmp_path / "said.csv", device="cpu")
    said = rows_of(tmp_path / "said.csv")[0]
    weights = dict(zip(found.task.classes, weights_of(found.task) or (), strict=True))
    odds = {name: weight * (p := float(said[f"probability_{name}"])) / (1 - p) for name, weight in weights.items()}
    chosen = {name for name in found.task.classes if odds[name] >= 1}
    assert set(filter(None, said["prediction"].split("|"))) == chosen
    note = TableNote.read(found.folder)
    for name, threshold in (("all", 0.0), ("none", 2.0)):
        found.task.threshold = threshold
        predict(found.task, table, out=tmp_path / f"{name}.parquet", device="cpu", note=note)
        assert pq.read_schema(tmp_path / f"{name}.parquet").field("prediction").type == pa.list_(pa.string())
    assert pq.read_table(tmp_path / "none.parquet")["prediction"].to_pylist() == [[]] * ROWS


def test_a_threshold_is_of_labels_and_reaches_the_task(tmp_path: Path) -> None:
    table: list[dict[str, Any]] = [{"text": "ab"[n % 2], "tags": "red|round" if n % 2 else "red"} for n in range(ROWS)]
    columns = ColumnOptions(text="text", target="tags")
    options = replace(SMALL, threshold=0.3, class_weights=False)
    found = fit(table, out=tmp_path / "model", columns=columns, options=options, config=quick(epochs=1))
    assert isinstance(found.task, MultiLabel)
    assert found.task.threshold == 0.3
    for name in ("labels.png", "reliability.png"):
        assert (tmp_path / "model" / name).exists()
    one_class = [row | {"tags": "ab"[n % 2]} for n, row in enumerate(table)]
    with pytest.raises(ValueError, match="found a threshold for a classification, expected one for multilabel only"):
        fit(one_class, out=tmp_path / "other", columns=columns, options=options, config=quick())
    for wrong in ({"threshold": 1.0}, {"threshold": 0.3, "kind": "regression"}):
        with pytest.raises(ValueError, match="threshold"):
            FitOptions(**wrong)


def test_a_skewed_number_is_learnt_as_its_logarithm_and_told(tmp_path: Path) -> None:
    told = Told()
    table = [row | {"price": float(np.exp(2 * float(str(row["x"]))))} for row in numbers_table()]
    found = fit(
        table,
        out=tmp_path / "model",
        columns=ColumnOptions(features=["x"], target="price"),
        options=SMALL,
        config=quick(epochs=1),
        observer=told,
    )
    assert isinstance(found.task, Regression)
    assert found.task.target.transforms
    [line] = [line for line in told.lines if line.startswith("price is skewed: learnt as ")]
    assert json.loads((found.folder / "results.json").read_text())["target_notes"] == [line]
    assert not (found.folder / "reliability.png").exists()


def test_columns_of_0_and_1_are_labels_from_the_table_to_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> frozenset[str]:
        raise RuntimeError("no canvas")

    monkeypatch.setattr(plots, "draw_curves", fails)
    table: list[dict[str, Any]] = [
        {"text": "ab"[number % 2] * 3, "toxic": number % 2, "rude": int(number % 3 == 0), "never": 0}
        for number in range(ROWS)
    ]
    table[5]["rude"] = None  # unknown, not absent
    told = Told()
    columns = ColumnOptions(text="text", target=["toxic", "rude", "never"])
    given: dict[str, Any] = {"columns": columns, "observer": told}
    with pytest.raises(ValueError, match=r"1 of 40 rows have no target .*; fill columns 'toxic', 'rude', 'never'"):
        fit(table, out=tmp_path / "model", options=SMALL, config=quick(epochs=1), **given)
    options = replace(SMALL, on_error="skip")
    found = fit(table, out=tmp_path / "model", options=options, config=quick(epochs=1), **given)
    assert isinstance(found.task, MultiLabel)
    assert found.task.classes == ("toxic", "rude", "never")  # in the columns' order
    assert "label 'never': no training row has it, so it cannot be learnt" in told.lines
    assert "curves.png could not be drawn: RuntimeError: no canvas" in told.lines
    results = json.loads((found.folder / "results.json").read_text())
    assert (results["task"], results["classes"]) == ("multilabel", ["toxic", "rude", "never"])
    assert results["columns"]["target"] == ["toxic", "rude", "never"]
    assert results["rows"] == {"in": ROWS, "left_out": 1}
    assert "each is a label" in (found.folder / "report.md").read_text()
    predict(found.folder, [{"text": "a"}], out=tmp_path / "said.csv", device="cpu")
    [row] = rows_of(tmp_path / "said.csv")
    assert list(row) == ["row", "prediction", "probability_toxic", "probability_rude", "probability_never"]


def test_classes_are_in_the_order_of_numbers_and_labels_in_that_of_their_places() -> None:
    columns = Columns(text=("text",), target=("y",))
    for cell, classes in (
        (lambda number: number % 12, tuple(map(str, range(12)))),
        (lambda number: f"c{number % 12}", tuple(sorted(f"c{place}" for place in range(12)))),
        (
            lambda number: [int(number % 12 == place) for place in range(12)],
            tuple(f"y[{place}]" for place in range(12)),
        ),
    ):
        table = open_table([{"text": f"t {number}", "y": cell(number)} for number in range(60)])
        request = FitRequest(table=table, columns=columns, options=SMALL, config=quick(), observer=Observer())
        plan = plan_table(request)
        assert isinstance(plan.task, Classification | MultiLabel)
        assert plan.task.classes == classes
        counts = plan.rows.survey.classes["train"]
        weights = weights_of(plan.task)
        assert weights is None or len(weights) == len(counts) == 12


def test_an_empty_cell_of_labels_is_no_labels_and_is_said(tmp_path: Path) -> None:
    tags = ["red|round", "red", "", "blue|round"]
    table = [{"text": tags[number % 4] * 2 or "none", "tags": tags[number % 4]} for number in range(ROWS)]
    (tmp_path / "a.csv").write_text("text,tags\n" + "".join(f"{row['text']},{row['tags']}\n" for row in table))
    for source, streaming in ((table, False), (tmp_path / "a.csv", True)):
        told = Told()
        found = fit(
            source,
            out=tmp_path / f"model {streaming}",
            columns=ColumnOptions(text="text", target="tags"),
            opening=OpenOptions(streaming=streaming),
            options=FitOptions(model="graph", dim=16, depth=1, kind="multilabel"),
            config=quick(epochs=1),
            observer=told,
        )
        assert isinstance(found.task, MultiLabel)
        assert "10 rows have no labels: an empty cell of column 'tags' means no label" in told.lines
        assert json.loads((found.folder / "results.json").read_text())["rows"]["in"] == ROWS
        assert not rows_of(found.folder / "rejects.csv")


def test_words_for_empty_cells_are_said_and_kept_with_the_model(tmp_path: Path) -> None:
    table = [{**row, "x": "NA" if n % 3 else str(row["x"]), "n": "-"} for n, row in enumerate(numbers_table())]
    told = Told()

    def run(name: str, **given: Any) -> Fitted:
        opening = OpenOptions(blanks=given.pop("blanks", None))
        columns = ColumnOptions(target="both", ignore="less", **given)
        return fit(
            table,
            out=tmp_path / name,
            columns=columns,
            opening=opening,
            options=SMALL,
            config=quick(epochs=1),
            observer=told,
        )

    usual = run("usual")
    assert usual.columns.features == ("x", "y")
    assert [line for line in told.lines[1:] if "counts as empty" in line] == [
        f"column 'x': 'NA' counts as empty (26 of {ROWS} rows examined); name other words with blanks= (--blank)"
    ]
    named = run("named", blanks=["NA", "-"], features=["x", "y", "n"])
    assert TableNote.read(named.folder).blanks == Blanks(words=frozenset({"NA", "-"}), everywhere=True)
    for model, row, empty in (
        (usual, {"x": "null", "y": 1}, {"x": "", "y": 1}),
        (named, {"x": "-", "y": 1, "n": "-"}, {"x": "", "y": 1, "n": ""}),
    ):
        for name, each in (("word", row), ("empty", empty)):
            predict(model.folder, [each], out=tmp_path / f"{name}.csv", device="cpu")
        assert rows_of(tmp_path / "word.csv") == rows_of(tmp_path / "empty.csv")
    with pytest.raises(ValueError, match="column 'x': found 'null' in column 'x'"):
        predict(named.folder, [{"x": "null", "y": "1"}], out=tmp_path / "said.csv", device="cpu")
    predict(
        named.folder,
        [{"x": "null", "y": "1"}],
        out=tmp_path / "said.csv",
        device="cpu",
        opening=OpenOptions(blanks="null"),
    )


@pytest.mark.parametrize("streaming", [False, True])
def test_ids_come_out_as_they_stand_and_may_be_empty_or_come_again(
    fitted: Fitted, tmp_path: Path, streaming: bool
) -> None:
    numbers = pa.table({"name": pa.array([7, None, 7], pa.int32()), "word": ["a", "b", "c"]})
    for ending, read in (("parquet", pq.read_table), ("jsonl", None)):
        out = tmp_path / f"said.{ending}"
        predict(
            fitted.folder,
            numbers,
            out=out,
            device="cpu",
            batch_size=2,
            workers=2,
            opening=OpenOptions(streaming=streaming),
        )
        if read is None:
            assert [json.loads(line)["name"] for line in out.read_text().splitlines()] == [7, None, 7]
        else:
            assert pq.read_schema(out).field("name").type == pa.int32()
            assert read(out)["name"].to_pylist() == [7, None, 7]
    (tmp_path / "a.csv").write_bytes(b"name,word\n 000 ,a\n,b\n 000 ,c\n\xff,d\n")
    opening = OpenOptions(streaming=streaming)
    for call, name, ids in ((predict, "said.csv", "said.csv"), (embed, "said.npy", "said.npy.ids.csv")):
        call(fitted.folder, tmp_path / "a.csv", out=tmp_path / name, device="cpu", opening=opening)
        assert [row["name"] for row in rows_of(tmp_path / ids)] == [" 000 ", "", " 000 ", "\\xff"]


def test_a_table_without_rows_gives_columns_without_rows(fitted: Fitted, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,word\n")
    columns = ["name", "prediction", "probability_cat", "probability_dog"]
    predict(fitted.folder, tmp_path / "a.csv", out=tmp_path / "said.csv", device="cpu")
    assert (tmp_path / "said.csv").read_text().splitlines() == [",".join(columns)]
    predict(fitted.folder, tmp_path / "a.csv", out=tmp_path / "said.parquet", device="cpu")
    assert pq.read_schema(tmp_path / "said.parquet").names == columns
    embed(fitted.folder, tmp_path / "a.csv", out=tmp_path / "vectors.parquet", device="cpu")
    assert pq.read_schema(tmp_path / "vectors.parquet").field("embedding").type == pa.list_(pa.float32())


def words_table() -> list[dict[str, object]]:
    return [{"text": word, "label": word, "part": "train"} for word in ("yes", "no") * 10]


def test_a_model_learns_what_a_column_says(tmp_path: Path) -> None:
    found = fit(
        words_table() * 2,
        out=tmp_path,
        columns=WORDS,
        options=SMALL,
        config=quick(epochs=12),
    )
    assert found.metrics["test"]["accuracy"] == 1.0


def test_classes_that_training_does_not_know_stop_or_go(tmp_path: Path) -> None:
    table = [*words_table(), *({"text": "yes", "label": "yes", "part": "valid"} for _ in range(2))]
    table.append({"text": "maybe", "label": "maybe", "part": "valid"})

    def run(on_error: Any) -> Fitted:
        options = FitOptions(model="graph", dim=16, depth=1, on_error=on_error)
        return fit(
            table,
            out=tmp_path / on_error,
            columns=ColumnOptions(text="text", target="label", split="part"),
            options=options,
            config=quick(epochs=1),
        )

    with pytest.raises(ValueError, match="row 23, 'row 23', column 'label': found class 'maybe' in the valid split"):
        run("stop")
    run("skip")
    (reject,) = rows_of(tmp_path / "skip" / "rejects.csv")
    assert (reject["row"], reject["column"], reject["left_out"]) == ("23", "label", "row")


def test_a_run_that_was_cut_goes_on_to_the_same_end(media: Path, tmp_path: Path) -> None:
    def run(name: str, *, resume: bool = False, observer: Observer | None = None) -> Task:
        return fit(
            media / "pets.csv",
            out=tmp_path / name,
            columns=ColumnOptions(text="word", audio=[], id="name", target="species"),
            options=SMALL,
            config=quick(epochs=3),
            resume=resume,
            observer=observer,
        ).task

    whole = run("whole")
    with pytest.raises(RuntimeError, match="cut"):
        run("cut", observer=CutsAfter(1))
    assert list((tmp_path / "cut" / "checkpoints").iterdir())
    told = Told()
    resumed = run("cut", resume=True, observer=told)
    assert any("continuing in epoch 2, after step " in line for line in told.lines), told.lines
    run("new", resume=True, observer=told)
    assert "found no checkpoint to continue from: training begins" in told.lines
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_report_without_test_rows_says_so(tmp_path: Path) -> None:
    table = [{**row, "part": ("train", "train", "train", "valid")[n % 4]} for n, row in enumerate(words_table())]
    for row in table:
        row["label"] = f"{row['label']}|word"
    found = fit(
        table,
        out=tmp_path,
        columns=ColumnOptions(text="text", target="label", split="part"),
        options=SMALL,
        config=quick(epochs=1),
    )
    assert list(found.metrics) == ["valid"]
    report = (tmp_path / "report.md").read_text()
    assert "there are no test rows" in report
    assert "opened once" not in report


def test_results_are_json_for_every_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def infinite(*found: Any, **options: Any) -> Any:
        return replace(evaluate(*found, **options), metrics={"accuracy": float("inf")})

    monkeypatch.setattr(fit_table, "evaluate", infinite)
    (tmp_path / "W\u00f6rter.csv").write_text("text,label\n" + "ja,gr\u00fcn\nnein,rot\n" * 20, encoding="utf-8")
    told = Told()
    fit(
        tmp_path / "W\u00f6rter.csv",
        out=tmp_path / "model",
        columns=WORDS,
        options=SMALL,
        config=quick(epochs=1),
        observer=told,
    )
    text = (tmp_path / "model" / "results.json").read_text(encoding="utf-8")
    assert "Infinity" not in text
    assert '"gr\u00fcn"' in text
    results = json.loads(text)
    assert results["metrics"]["valid"]["accuracy"] is None
    assert not results["table"].startswith("'")
    assert results["table"].endswith("W\u00f6rter.csv")
    assert f"unusual training settings: epochs 1 ({fit_defaults.EPOCHS}), batch size 8 (32)" in told.lines


def test_the_card_says_the_order_of_numbers(fitted: Fitted) -> None:
    assert "| columns of features, in this order | weight |" in (fitted.folder / "README.md").read_text()
    assert "base_model" not in (fitted.folder / "README.md").read_text()


def test_logs_lie_with_the_checkpoints(tmp_path: Path) -> None:
    config = quick(epochs=1, logs=("csv",))
    fit(words_table(), out=tmp_path, columns=WORDS, options=SMALL, config=config)
    assert list((tmp_path / "checkpoints" / "logs" / "csv").rglob("metrics.csv"))


def test_a_model_is_saved_before_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(fit_table, "evaluate", fails)
    with pytest.raises(RuntimeError, match="no memory left"):
        fit(
            words_table(),
            out=tmp_path / "model",
            columns=WORDS,
            options=SMALL,
            config=quick(),
        )
    predict(tmp_path / "model", words_table(), out=tmp_path / "said.csv", device="cpu")
    assert len(rows_of(tmp_path / "said.csv")) == len(words_table())
    assert "| accuracy |" in (tmp_path / "model" / "README.md").read_text()


def test_a_refused_run_leaves_everything_of_the_one_before(tmp_path: Path) -> None:
    def run(table: list[dict[str, object]], **changes: Any) -> None:
        options, resume = FitOptions(model="graph", dim=16, depth=1, on_error="skip"), changes.pop("resume", False)
        config = quick(**{"epochs": 1, **changes})
        fit(
            table,
            out=tmp_path,
            columns=WORDS,
            options=options,
            config=config,
            resume=resume,
        )

    run([*words_table(), {"text": "no label", "label": None}])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert len(rows_of(tmp_path / "rejects.csv")) == 1
    with pytest.raises(ValueError, match=r"found checkpoints of an earlier run, expected none; continue it \(--resume"):
        run([{"text": "no list can be opened", "label": object()}])  # refused before the table is looked at
    with pytest.raises(ValueError, match="belongs to another run"):
        run(words_table(), epochs=2, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_file_is_no_folder_to_write_into(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("text,label\n")
    with pytest.raises(ValueError, match=r"table\.csv: found a file, expected a folder to write the model into"):
        fit(words_table(), out=tmp_path / "table.csv")


def test_the_observer_is_told_columns_splits_and_metrics(media: Path, tmp_path: Path) -> None:
    told = Told()
    fit(
        media / "pets.csv",
        out=tmp_path,
        columns=ColumnOptions(id="name", target="species"),
        options=SMALL,
        config=quick(epochs=1),
        observer=told,
    )
    assert told.lines[0].startswith("name: id (given)\nphoto: image (")
    assert any(line.startswith("classification: ") for line in told.lines)
    assert any("train" in line and "by rule" in line for line in told.lines)
    assert told.lines[-1].startswith("test: accuracy ")
    assert told.counted["reading rows"] == ROWS
    assert told.counted["epoch 1/1"] > 0


def test_a_folder_that_fit_did_not_write_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    from_pretrained(fitted.folder).save_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"found no table\.json"):
        predict(tmp_path, [{"word": "x"}], out=tmp_path / "said.csv")
    (tmp_path / "table.json").write_text('{"format": 99, "columns": {}, "source": ""}')
    with pytest.raises(ValueError, match="format 99, expected 1"):
        predict(tmp_path, [{"word": "x"}], out=tmp_path / "said.csv")


class CutsAfter(Observer):
    """Ends training with an error after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def begins(self, what: str, total: int | None = None) -> AbstractContextManager[Advance]:
        if what.startswith(f"epoch {self.epochs + 1}/"):
            raise RuntimeError("cut")
        return super().begins(what, total)
