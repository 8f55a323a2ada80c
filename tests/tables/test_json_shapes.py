"""Files of JSON as pandas and others write them open to the same rows, or are refused by naming the shape."""

import json
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pytest

from gnnfuse.tables import TableError, open_table

ROWS = [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}, {"text": "three", "label": "a"}]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("orient", ["columns", "index", "split", "table", "records"])
@pytest.mark.parametrize("indent", [None, 1])
def test_what_pandas_writes_is_read(tmp_path: Path, orient: str, indent: int | None, streaming: bool) -> None:
    frame = pd.DataFrame(ROWS)[1:]  # numbered from 1
    frame.to_json(tmp_path / "a.json", orient=orient, indent=indent)
    table = open_table(tmp_path / "a.json", streaming=streaming)
    assert list(table.each(table.columns)) == ROWS[1:]
    named = "under 'data'" if orient == "table" else orient
    assert len(table.notes) == (orient != "records")
    assert all(named in note for note in table.notes)


@pytest.mark.parametrize("whole", [{"data": ROWS}, {"version": "1.0", "data": ROWS, "count": 3}])
def test_rows_under_data_are_read(tmp_path: Path, whole: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(whole, indent=2))
    assert open_table(tmp_path / "a.json").column("text") == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ({"images": [{"id": 1}], "annotations": [{"id": 1}]}, "lists of objects under 'images', 'annotations'"),
        ({"data": ROWS, "more": ROWS}, "lists of objects under 'data', 'more'"),
        ({"text": {"x": "one", "y": "two"}, "label": {"x": "a", "y": "b"}}, "columns or rows .*orient='records'"),
        ({"0": {"0": 1, "1": 2}, "1": {"0": 3, "1": 4}}, "columns or rows"),
        ({"columns": ["a"], "data": [[1, 2]]}, "'columns' and 'data' that do not fit"),
        ([["one", "a"]], r"row 1: found .* expected a JSON object; pandas .*orient='records'"),
        ([1], "row 1: found '1'"),
        (3, "row 1: found '3'"),
    ],
)
def test_other_shapes_are_refused_by_name(tmp_path: Path, whole: object, message: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(whole))
    with pytest.raises(TableError, match=rf"a\.json'.*{message}"):
        open_table(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "row",
    [
        {"text": "one", "label": "a"},
        {"photo": {"bytes": None, "path": "a.png"}, "sound": {"bytes": None, "path": "a.wav"}},
        {"size": {"width": 1, "height": 2}, "label": "a"},
    ],
)
def test_one_object_may_be_one_row(tmp_path: Path, name: str, row: dict[str, object]) -> None:
    (tmp_path / name).write_text(json.dumps(row))
    table = open_table(tmp_path / name)
    assert list(table.each(table.columns)) == [row]
    assert table.notes == ()


def test_a_row_of_json_lines_may_hold_lists_of_objects(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"data": [{"x": 1}]}')
    assert open_table(tmp_path / "a.jsonl").column("data") == [[{"x": 1}]]


def test_utf16_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(json.dumps(ROWS).encode("utf-16"))
    with pytest.raises(TableError, match="found UTF-16, expected UTF-8"):
        open_table(tmp_path / "a.json")
