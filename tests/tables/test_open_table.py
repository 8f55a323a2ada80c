"""Every format opens to the same rows; what a file does wrong is said with file, row and column."""

import csv
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from gnnfuse.tables import Table, TableError, arrow_cache, delimited, open_table

ROWS: list[dict[str, object]] = [
    {"name": "plain", "text": "a cat", "age": "3", "height": "1.5"},
    {"name": "quotes", "text": 'say "miau",\nthen leave', "age": "", "height": ""},
    {"name": "words for nothing", "text": "NA", "age": "nan", "height": "null"},
    {"name": "Umläute 猫", "text": "", "age": "-1e3", "height": "  "},
]
EXPECTED = [{name: value if str(value).strip() else None for name, value in row.items()} for row in ROWS]


def write_csv(path: Path, start: bytes = b"", delimiter: str = ",", end: str = "\n") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter, lineterminator=end)
        writer.writeheader()
        writer.writerows(ROWS)
    path.write_bytes(start + path.read_bytes())


def write_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n", encoding="utf-8")


def write_arrow(path: Path, kind: str) -> None:
    table = pa.Table.from_pylist(ROWS)
    new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with path.open("wb") as file, new(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


FILES: dict[str, Callable[[Path], object]] = {
    "a.csv": write_csv,
    "mark.csv": lambda path: write_csv(path, b"\xef\xbb\xbf"),
    "windows.csv": lambda path: write_csv(path, end="\r\n"),
    "a.tsv": lambda path: write_csv(path, delimiter="\t"),
    "a.jsonl": write_lines,
    "a.json": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "a.parquet": lambda path: parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=3),
    "stream.arrow": lambda path: write_arrow(path, "stream"),
    "file.arrow": lambda path: write_arrow(path, "file"),
    "a.feather": lambda path: write_arrow(path, "file"),
}


def rows_of(table: Table) -> list[dict[str, object]]:
    return list(table.each(table.columns))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_the_same_cells(tmp_path: Path, name: str, streaming: bool) -> None:
    FILES[name](tmp_path / name)
    table = open_table(tmp_path / name, streaming=streaming)
    assert table.columns == tuple(ROWS[0])
    assert rows_of(table) == rows_of(table) == EXPECTED
    other = pickle.loads(pickle.dumps(table))
    assert rows_of(other) == EXPECTED
    if not streaming:
        assert [other.cells(number, table.columns) for number in range(len(table))] == EXPECTED
        assert [table.column(name) for name in table.columns] == [[row[n] for row in EXPECTED] for n in table.columns]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_large_file_is_mapped_from_the_named_cache_and_never_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(arrow_cache, "IN_MEMORY", 0)
    FILES[name](tmp_path / name)
    cache = tmp_path / "cache"
    before = set(tmp_path.iterdir())
    assert rows_of(open_table(tmp_path / name, cache=cache)) == EXPECTED
    assert set(tmp_path.iterdir()) == before | {cache}
    entries = list(cache.iterdir())
    assert len(entries) == 1
    stamp = entries[0].stat().st_mtime_ns
    table = open_table(tmp_path / name, cache=cache)
    assert entries[0].stat().st_mtime_ns == stamp
    assert len(pickle.dumps(table.rows)) < 1000  # its path, not its rows
    content = (tmp_path / name).read_bytes()
    if name != "a.parquet":
        old = (tmp_path / name).stat()
        (tmp_path / name).write_bytes(content.replace(b"plain", b"other"))
        os.utime(tmp_path / name, ns=(old.st_atime_ns, old.st_mtime_ns))  # the same size and the same time
        assert rows_of(open_table(tmp_path / name, cache=cache))[0]["name"] == "other"


def test_a_small_table_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_csv(tmp_path / "a.csv")
    open_table(tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_texts_that_stand_for_an_empty_cell_are_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv")
    assert open_table(tmp_path / "a.csv", blanks=("NA", "null")).cells(2, ["text", "age", "height"]) == {
        "text": None,
        "age": "nan",
        "height": None,
    }


@pytest.mark.parametrize("block", [100, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("row", "cells"),
    [("3", 1), ("3,4,5", 3), ('3,"4,5",6', 3), ("\n,\n\n3", 1)],
    ids=["short", "long", "quoted", "blank"],
)
def test_a_ragged_row_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, row: str, cells: int
) -> None:
    monkeypatch.setattr(delimited, "BLOCK", block)
    good = [f'{n},"{n}"' for n in range(100)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b", *good, row, *good]))
    number = 102 if "\n" in row else 101
    with pytest.raises(
        TableError, match=rf"a\.csv', row {number}: found {cells} cells .*, expected 2 as in the header"
    ):
        open_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"\n\n", "no header line"),
        (b"a,b,a\n1,2,3\n", "column 'a' occurs twice"),
        (b"a,\xff\n1,2\n", "the name of column 2 is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "row 2: a quote is opened and never closed"),
        (b'"a', "a quote is opened in the header and never closed"),
        (b'"a,b\n1,2\n', "after row 0: no row ends within 9 bytes; is a quote opened and never closed"),
        ("a,b\n1,2\n".encode("utf-16-le"), "NUL bytes in the header, expected UTF-8"),
    ],
)
def test_a_csv_file_that_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(TableError, match=rf"a\.csv'.*{message}"):
        list(open_table(tmp_path / "a.csv").each([]))


def test_broken_utf8_disturbs_its_own_cell_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,caf\xe9\n2,caf\xc3\xa9\n")
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "1", "b": "caf\xe9"}\n{"a": "2", "b": "caf\xc3\xa9"}\n')
    for name in ("a.csv", "a.jsonl"):
        assert rows_of(open_table(tmp_path / name)) == [{"a": "1", "b": "caf\udce9"}, {"a": "2", "b": "café"}]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    for content in ("a,b", "a,b\n", "sep=,\na,b"):
        (tmp_path / "a.csv").write_text(content)
        table = open_table(tmp_path / "a.csv")
        assert (table.columns, len(table)) == (("a", "b"), 0)


@pytest.mark.parametrize("content", ["sep=;\r\na;b\r\n1;2,5\r\n", '\ufeff"sep=;"\na;b\n1;2,5', "sep=;\n\na;b\n1;2,5\n"])
def test_the_delimiter_that_excel_names_is_taken(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode())
    assert rows_of(open_table(tmp_path / "a.csv")) == [{"a": "1", "b": "2,5"}]
    (tmp_path / "a.csv").write_bytes((content + "\n3").encode())
    with pytest.raises(TableError, match=r"row 2: found 1 cells"):
        open_table(tmp_path / "a.csv")


def test_a_header_may_be_longer_than_what_is_read_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "HEADER", 100)
    (tmp_path / "a.csv").write_text(",".join(f"column {n}" for n in range(2000)) + "\n" + "1," * 1999 + "2\n")
    table = open_table(tmp_path / "a.csv")
    assert (len(table.columns), table.columns[-1], table.column("column 1999")) == (2000, "column 1999", ["2"])


def test_more_than_fifty_thousand_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",".join(f"c{n}" for n in range(50_001)))
    (tmp_path / "a.jsonl").write_text("{" + ",".join(f'"{n}":1' for n in range(50_001)) + "}")
    for name in ("a.csv", "a.jsonl"):
        with pytest.raises(TableError, match=r"found 50,001 columns.*expected at most 50,000"):
            open_table(tmp_path / name)


def test_keys_that_are_data_are_refused(tmp_path: Path) -> None:
    rows = [{f"user {n}": 1, "label": "a"} for n in range(1100)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for source in (tmp_path / "a.jsonl", rows):
        with pytest.raises(TableError, match=r"row 1000: found 1,001 columns so far, 0\.2% of their cells filled"):
            open_table(source)


def test_a_text_too_long_for_the_csv_module_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n" + "x" * 200_000)
    assert open_table(tmp_path / "a.csv").column("text") == ["x" * 200_000]


TWICE = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "name", ["a.parquet", "a.arrow", "a.feather", "table", "stream", "batch", "frame", "keys", "json"]
)
def test_a_column_that_stands_twice_is_named(tmp_path: Path, name: str, streaming: bool) -> None:
    source: object = tmp_path / name
    if name == "a.parquet":
        parquet.write_table(TWICE, source)
    elif name in ("a.arrow", "a.feather"):
        new = pa.ipc.new_stream if name == "a.arrow" else pa.ipc.new_file
        with new(str(source), TWICE.schema) as writer:
            writer.write_table(TWICE)
    else:
        memory = {"table": TWICE, "stream": TWICE.to_reader(), "batch": TWICE.to_batches()[0]}
        source = {**memory, "frame": TWICE.to_pandas(), "keys": [{1: "x", "1": "y"}]}.get(name, tmp_path / "a.json")
        (tmp_path / "a.json").write_text('{"columns": ["a", "a"], "data": [[1, "x"]]}')
    with pytest.raises(TableError, match=r"column '[a1]' occurs twice in the header"):
        open_table(source, streaming=streaming)


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 1, "a": 2}\n')
    with pytest.raises(TableError, match=r"row 2: not JSON \(key 'a' occurs twice"):
        open_table(tmp_path / "a.jsonl")


def test_a_column_without_a_name_has_one_in_every_reader(tmp_path: Path) -> None:
    table = pa.table({"text": ["one"], "": ["two"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "a.csv").write_text("text,\none,two\n")
    (tmp_path / "a.jsonl").write_text('{"text": "one", "": "two"}\n')
    part = datasets.Dataset(table)
    files = [tmp_path / name for name in ("a.csv", "a.jsonl", "a.parquet", "a.arrow")]
    for source in (*files, table, table.to_pandas(), table.to_pylist(), part):
        assert rows_of(open_table(source)) == [{"text": "one", "column 2": "two"}]
    for source in (*files, part.to_iterable_dataset()):
        assert rows_of(open_table(source, streaming=True)) == [{"text": "one", "column 2": "two"}]
    assert pickle.loads(pickle.dumps(open_table(tmp_path / "a.arrow"))).column("column 2") == ["two"]


@pytest.mark.parametrize("deep", [100, 900, 100_000])
def test_json_within_json_is_refused_by_its_row(tmp_path: Path, deep: int) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": [[1]]}\n{"a": ' + "[" * deep + "]" * deep + "}")
    with pytest.raises(TableError, match=r"a\.jsonl', row 2: found lists or objects nested more than 32"):
        open_table(tmp_path / "a.jsonl")


def test_a_table_of_one_column_keeps_its_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\none\n\nthree\n")
    assert open_table(tmp_path / "a.csv").column("text") == ["one", None, "three"]


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",text\n0,one\n")
    assert open_table(tmp_path / "a.csv").columns == ("column 1", "text")


def test_json_of_mixed_kinds_is_kept(tmp_path: Path) -> None:
    lines = ['{"n": 1, "mixed": 1}', '{"n": 2.5, "mixed": "one", "late": [1, 2]}', '{"n": null, "mixed": [1]}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    table = open_table(tmp_path / "a.jsonl")
    assert table.column("n") == [1.0, 2.5, None]
    assert table.column("mixed") == ["1", "one", "[1]"]
    late = table.column("late")
    assert late[0] is None
    assert isinstance(late[1], np.ndarray)
    assert late[1].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "row 3: not JSON"),
        ("[1]", r"row 3: found '\[1\]', expected a JSON object"),
        ('{"a": 1}{', "row 3: not JSON"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, message: str, streaming: bool) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n' + line)
    with pytest.raises(TableError, match=rf"a\.jsonl', {message}"):
        list(open_table(tmp_path / "a.jsonl", streaming=streaming).each([]))


def test_a_column_that_appears_late_in_a_stream_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(['{"a": 1}'] * 1500 + ['{"a": 1, "b": 2}']))
    assert open_table(tmp_path / "a.jsonl").column("b")[-1] == 2
    with pytest.raises(TableError, match="row 1501: found column 'b'"):
        list(open_table(tmp_path / "a.jsonl", streaming=True).each(["a"]))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    FILES.get(name, FILES["stream.arrow"])(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(TableError, match=name):
        rows_of(open_table(tmp_path / name))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nothing\.csv': found nothing there"):
        open_table(tmp_path / "nothing.csv")
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(TableError, match=r"found '\.xlsx', expected one of \.csv"):
        open_table(tmp_path / "a.xlsx")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(TableError, match="found a pipe or device there, expected a file"):
        open_table(tmp_path / "pipe.csv")
    with pytest.raises(TableError, match="found a int"):
        open_table(3)
    with pytest.raises(TableError, match="found no folder"):
        open_table(tmp_path / "a.csv", media=tmp_path / "none")


def test_data_sets_and_frames_open_as_they_are(tmp_path: Path) -> None:
    whole = datasets.Dataset.from_list(ROWS)
    chosen = [3, 1, 0]
    picked = open_table(whole.select(chosen))
    assert [picked.cells(number, picked.columns) for number in range(3)] == [EXPECTED[row] for row in chosen]
    assert picked.column("name") == [EXPECTED[row]["name"] for row in chosen]
    assert rows_of(pickle.loads(pickle.dumps(picked))) == [EXPECTED[row] for row in chosen]
    for source in (whole, whole.to_pandas(), whole.data.table, ROWS):
        assert rows_of(open_table(source)) == EXPECTED
    assert rows_of(open_table(whole.to_iterable_dataset(), streaming=True)) == EXPECTED
    with pytest.raises(TableError, match="streaming=True"):
        open_table(whole.to_iterable_dataset())


def test_splits_of_a_data_set_become_a_column(tmp_path: Path) -> None:
    part = datasets.Dataset.from_list(ROWS)
    several = datasets.DatasetDict({"train": part, "validation": part.select([0])})
    several.save_to_disk(str(tmp_path / "saved"))
    for table in (open_table(several), open_table(tmp_path / "saved")):
        assert table.column("split") == ["train"] * 4 + ["validation"]
    streams = datasets.IterableDatasetDict({name: part.to_iterable_dataset() for name, part in several.items()})
    assert [row["split"] for row in open_table(streams, streaming=True).each(["split"])] == ["train"] * 4 + [
        "validation"
    ]


def test_a_folder_of_several_tables_is_read_by_datasets(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    for name in ("train", "test"):
        parquet.write_table(pa.Table.from_pylist(ROWS), folder / f"{name}.parquet")
    table = open_table(folder, cache=tmp_path / "cache")
    assert sorted(table.column("split")) == ["test"] * 4 + ["train"] * 4  # type: ignore[type-var]


def test_class_names_of_a_data_set_are_kept(tmp_path: Path) -> None:
    features = datasets.Features({"label": datasets.ClassLabel(names=["cat", "dog"])})
    part = datasets.Dataset.from_dict({"label": [1, 0, -1]}, features=features)
    part.to_parquet(str(tmp_path / "a.parquet"))
    for source in (part, tmp_path / "a.parquet"):
        assert open_table(source).column("label") == ["dog", "cat", None]


def test_rows_in_memory_may_lack_columns() -> None:
    table = open_table([{"a": 1}, {"b": "x"}])
    assert rows_of(table) == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    with pytest.raises(TableError, match="found a int among the rows"):
        open_table([1])


@pytest.mark.parametrize(
    "content",
    ["\n\na,b\n1,2\n", "\r\na,b\r\n1,2\r\n", 'a,"b"\n1,2\n\n\n', "\ufeff\na,b\n1,2", "a,b\r1,2\r"],
    ids=["blank lines", "windows", "at the end", "mark", "old mac"],
)
def test_blank_lines_around_a_table_do_not_matter(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode())
    assert rows_of(open_table(tmp_path / "a.csv")) == [{"a": "1", "b": "2"}]


def test_a_ragged_row_is_named_behind_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\na,b\n1,2\n3\n")
    with pytest.raises(TableError, match=r"a\.csv', row 2: found 1 cells"):
        open_table(tmp_path / "a.csv")


def test_a_column_name_may_hold_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"a\nb",c\n1,2\n')
    assert rows_of(open_table(tmp_path / "a.csv")) == [{"a\nb": "1", "c": "2"}]


def test_loading_writes_into_the_named_cache_only(tmp_path: Path) -> None:
    folder, home, cache = tmp_path / "tables", tmp_path / "home", tmp_path / "cache"
    folder.mkdir()
    home.mkdir()
    for name in ("train", "test"):
        parquet.write_table(pa.Table.from_pylist(ROWS), folder / f"{name}.parquet")
    code = f"from gnnfuse.tables import open_table; print(len(open_table({str(folder)!r}, cache={str(cache)!r})))"
    own = ("XDG_CACHE_HOME", "HF_HOME", "HF_DATASETS_CACHE")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {"HOME": str(home), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["8"]
    assert {path.name for path in tmp_path.iterdir()} == {"tables", "home", "cache"}
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_other_delimiters_are_found_and_noted(tmp_path: Path) -> None:
    for name, delimiter in (("a.csv", ";"), ("b.csv", "\t"), ("c.tsv", ",")):
        (tmp_path / name).write_text(
            delimiter.join("xyz") + "\n" + delimiter.join(("1", "2,5" * (delimiter != ","), "3"))
        )
        table = open_table(tmp_path / name)
        assert table.columns == ("x", "y", "z")
        assert table.notes == (f"table {str(tmp_path / name)!r}: its cells are separated by {delimiter!r}",)
        assert open_table(tmp_path / name, streaming=True).columns == table.columns
    (tmp_path / "one.csv").write_text("a; b\nonly one cell\n")
    assert (open_table(tmp_path / "one.csv").columns, open_table(tmp_path / "one.csv").notes) == (("a; b",), ())


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnnfuse.tables.arrow_cache.IN_MEMORY", 0)
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(TableError, match=rf"converted files, {str(folder)!r}, cannot be written to") as caught:
            open_table(tmp_path / "a.csv", cache=folder)
        assert "no readable" not in str(caught.value)


def test_a_small_arrow_file_may_be_cut_while_it_is_read(tmp_path: Path) -> None:
    """Of a mapped file the system would end the process."""
    path = tmp_path / "pets.arrow"
    rows = pa.table({"text": ["a cat" * 100, "a dog" * 100] * 500})
    with pa.ipc.new_file(path, rows.schema) as writer:
        writer.write_table(rows)
    opened = open_table(path)
    os.truncate(path, 10)
    assert opened.column("text") == rows.column("text").to_pylist()


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([2**62], pa.timestamp("ms")),
        pa.array([2**31 - 1], pa.date32()),
        pa.array([0], pa.timestamp("s", tz="Mars/Olympus")),
        pa.array([2**62], pa.timestamp("ms")).dictionary_encode(),
    ],
)
def test_a_date_that_python_lacks_is_named(cells: pa.Array) -> None:
    with pytest.raises(ValueError, match=r"column 'when': found a .* that cannot be read"):
        open_table(pa.table({"when": cells})).cells(0, ["when"])
