"""Answers for a table: texts come back as they are, and threads get what they would get one after another."""

import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gnnfuse.fusion import JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tables import Columns
from gnnfuse.tasks import Classification
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
