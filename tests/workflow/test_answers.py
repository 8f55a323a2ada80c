"""Answers for a table: texts come back as they are, and threads get what they would get one after another."""

import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnnfuse.fusion import JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tables import Columns
from gnnfuse.tasks import Classification, Intervals, LabelSets, MultiLabel, Regression
from gnnfuse.workflow import predict
from gnnfuse.workflow.answer_table import check_place
from gnnfuse.workflow.array_file import writing_array
from gnnfuse.workflow.row_writers import writing
from gnnfuse.workflow.table_note import TableNote
from tests.full_disk import full_disk
from tests.told import Told

CLASSES = ("+1 to all", "-", "=1+1", "@SUM(A1)")


def task(classes: tuple[str, ...] = CLASSES) -> Classification:
    builder = GraphBuilder([TextTokens()], target=ClassTarget(classes))
    return Classification(JointTransformer(builder.node_types, dim=8, depth=1, heads=2), builder).eval()


@pytest.mark.parametrize("name", CLASSES)
def test_classes_that_are_formulas_come_back_as_they_are(name: str, tmp_path: Path) -> None:
    told, note = Told(), TableNote(columns=Columns(text=("text",), id="id"), source="memory")
    rows = [{"id": "=A2", "text": "a cat"}]
    predict(task((name, f"{name}x")), rows, out=tmp_path / "a.csv", note=note, device="cpu", observer=told)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert row["id"] == "=A2"
    assert row["prediction"] in (name, f"{name}x")
    assert f"probability_{name}" in row
    assert "a spreadsheet program would run them as formulas" in told.lines[-2]
    quiet = Told()
    plain = TableNote(columns=Columns(text=("text",)), source="memory")
    predict(task(("-1", "1e5")), [{"text": "a"}], out=tmp_path / "b.csv", note=plain, device="cpu", observer=quiet)
    assert len(quiet.lines) == 1


def test_eight_threads_get_the_same_answers_as_one_after_another() -> None:
    model = task()
    samples = [
        [Sample({"text": f"text {thread} {number}" * (1 + number)}) for number in range(4)] for thread in range(8)
    ]
    alone = [model.predict(each) for each in samples]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(model.predict, samples)) == alone


def test_places_that_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    table = tmp_path / "pets.csv.rejects.csv"
    table.write_text("text\na cat\n")
    with pytest.raises(ValueError, match="found the table itself"):
        check_place(tmp_path / "pets.csv", table)
    with pytest.raises(ValueError, match="found a file that is no list of rejects, which would be replaced"):
        check_place(tmp_path / "pets.csv", [])
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match="found a folder, expected a file to write"):
        check_place(tmp_path / "folder.csv", [])
    with pytest.raises(NotADirectoryError):
        check_place(table / "a.csv", [])
    assert table.read_text() == "text\na cat\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "npy"])
def test_a_full_disk_is_named_and_leaves_nothing_that_looks_whole(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text("old")

    def write() -> None:
        if ending == "npy":
            with writing_array(path, 64) as add:
                for number in range(5000):
                    add(np.full(64, number, dtype=np.float32))
        else:
            with writing(path, pa.schema([("text", pa.string())])) as writer:
                for number in range(5000):
                    writer.write({"text": f"{number * 7919:x}" * 5})

    with full_disk(1000), pytest.raises(OSError, match=r".") as caught:
        write()
    assert caught.value.filename == str(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(path.name, "old")]


ENDINGS = ("csv", "jsonl", "parquet")


def answered(
    make: type, target: TargetEncoding, columns: Columns, folder: Path, **options: object
) -> dict[str, list[dict[str, Any]]]:
    """The rows that an untrained model answers two rows with, in each format."""
    builder = GraphBuilder([TextTokens()], target=target)
    made = make(JointTransformer(builder.node_types, dim=8, depth=1, heads=2), builder, **options).eval()
    note, found = TableNote(columns=columns, source="memory"), {}
    for ending in ENDINGS:
        path = folder / f"a.{ending}"
        predict(made, [{"text": "a"}, {"text": None}], out=path, note=note, device="cpu")
        if ending == "csv":
            with path.open(newline="", encoding="utf-8") as file:
                found[ending] = list(csv.DictReader(file))
        elif ending == "jsonl":
            found[ending] = [json.loads(line) for line in path.read_text().splitlines()]
        else:
            found[ending] = pq.read_table(path).to_pylist()
    return found


def test_intervals_are_columns_beside_their_predictions(tmp_path: Path) -> None:
    one, several = Columns(text=("text",), target=("y",)), Columns(text=("text",), target=("a", "a_low"))
    found = answered(Regression, NumberTarget(), one, tmp_path, intervals=Intervals(0.9, (0.5,)))
    for ending in ENDINGS:
        assert list(found[ending][0]) == ["row", "prediction", "prediction_low", "prediction_high"]
        for row in found[ending]:
            middle = float(row["prediction"])
            ends = [float(row["prediction_low"]), float(row["prediction_high"])]
            assert ends == pytest.approx([middle - 0.5, middle + 0.5])
    found = answered(Regression, NumberTarget(2), several, tmp_path, intervals=Intervals(0.9, (0.5, 1.0)))
    for ending in ENDINGS:
        [first, _] = found[ending]
        assert float(first["prediction_a_low_"]) == pytest.approx(float(first["prediction_a"]) - 0.5)
        assert float(first["prediction_a_low_high"]) == pytest.approx(float(first["prediction_a_low"]) + 1.0)


@pytest.mark.parametrize("several", [False, True])
def test_label_sets_are_lists_whatever_names_hold(several: bool, tmp_path: Path) -> None:
    names = ('a|"b"', "ü, c")
    kind: tuple[type, TargetEncoding] = (
        (MultiLabel, MultiLabelTarget(names)) if several else (Classification, ClassTarget(names))
    )
    columns = Columns(text=("text",), target=("y",))
    found = answered(*kind, columns, tmp_path, label_set=LabelSets(0.9, 0.0))
    for row in [*found["jsonl"], *found["parquet"]]:
        assert row["label_set"] == list(names)
    assert [json.loads(row["label_set"]) for row in found["csv"]] == [list(names)] * 2
    assert "label_set" not in answered(*kind, columns, tmp_path)["csv"][0]
