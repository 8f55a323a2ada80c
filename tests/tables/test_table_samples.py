import io
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from gnnfuse.nodes import Features
from gnnfuse.sample import Sample, SignalError, Unreadable, read_audio, read_image, read_rows, read_text, with_rest_of
from gnnfuse.tables import (
    ColumnOptions,
    Columns,
    NumberCells,
    TableError,
    TableSamples,
    TableStream,
    blank_notes,
    guess_columns,
    open_table,
    table_samples,
    table_stream,
    target_kind,
)


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def wav(value: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(100, value, np.float32), 8000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_empty_cells_are_missing_modalities(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('photo,text,age,weight,label\na.png,"a cat",3,,x\n,,,,\n ,NA,1,2,y\n')
    table = open_table(tmp_path / "a.csv")
    columns = Columns(image=("photo",), text=("text",), features=("age", "weight"), target=("label",))
    first, second, third = TableSamples(table, columns, target_kind(table, columns))
    assert sorted(first.signals) == ["features", "photo", "text"]
    assert dict(second.signals) == {}
    assert second.target is None
    assert sorted(third.signals) == ["features", "text"]
    assert read_text(third, "text") == "NA"
    rows = read_rows(first, "features", blanks=True)
    assert rows is not None
    assert torch.equal(rows.values[:, :1], torch.tensor([[3.0]]))
    assert bool(rows.values[0, 1].isnan())


@pytest.mark.parametrize("cell", ["N.A.", "-", "inf", "1,5", "12 kg", "1e999", "1e39", "0x10", "1_000"])
def test_text_among_numbers_is_an_error_that_names_the_column(cell: str) -> None:
    table = open_table([{"age": cell, "height": "1"}])
    sample = TableSamples(table, Columns(features=("height", "age")))[0]
    with pytest.raises(SignalError, match=rf"row 1.*features.*found '{cell}' in column 'age'"):
        read_rows(sample, "features", blanks=True)


def test_one_bad_number_leaves_the_others_of_its_row() -> None:
    table = open_table([{"a": "x", "b": "2", "c": "1e999"}, {"a": "x", "b": None, "c": "y"}])
    samples = TableSamples(table, Columns(features=("a", "b", "c")))
    with pytest.raises(SignalError, match="found 'x' in column 'a'"):
        read_rows(samples[0], "features", blanks=True)
    without_a = with_rest_of(samples[0], "features")
    with pytest.raises(SignalError, match="found '1e999' in column 'c'"):
        read_rows(without_a, "features", blanks=True)
    rows = read_rows(with_rest_of(without_a, "features"), "features", blanks=True)
    assert rows is not None
    np.testing.assert_array_equal(rows.values, [[np.nan, 2, np.nan]])
    assert dict(with_rest_of(with_rest_of(samples[1], "features"), "features").signals) == {}


def test_what_cannot_be_used_disturbs_no_other_signal(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,photo,clip,text\nx,../a.png,/etc/passwd,caf\xe9\n")
    columns = Columns(image=("photo",), audio=("clip",), text=("text",), id="id")
    sample = TableSamples(open_table(tmp_path / "a.csv"), columns)[0]
    with pytest.raises(SignalError, match="sample 'x', signal 'photo': found a path that goes up"):
        read_image(sample, "photo")
    with pytest.raises(SignalError, match="sample 'x', signal 'clip': found an absolute path"):
        read_audio(sample, "clip", sample_rate=8000)
    with pytest.raises(SignalError, match=r"not UTF-8 \(byte 0xe9 at character 3\)"):
        read_text(sample, "text")


def test_media_start_from_the_named_folder(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.png").write_bytes(png(9))
    (tmp_path / "a.csv").write_text("photo\na.png\n")
    table = open_table(tmp_path / "a.csv", media=tmp_path / "media")
    assert read_image(TableSamples(table, Columns(image=("photo",)))[0], "photo") is not None


def check_embedded(sample: Sample, value: int) -> None:
    picture, recording = read_image(sample, "photo"), read_audio(sample, "clip", sample_rate=8000)
    assert picture is not None
    assert recording is not None
    torch.testing.assert_close(picture[0], torch.full((3, 4), value / 255))
    torch.testing.assert_close(recording, torch.full((100,), value / 255))


def test_embedded_media_are_decoded_by_our_own_readers(tmp_path: Path) -> None:
    kinds = datasets.Features({"photo": datasets.Image(), "clip": datasets.Audio(), "label": datasets.Value("string")})
    stored = [
        {"photo": {"bytes": png(n), "path": "a"}, "clip": {"bytes": wav(n / 255), "path": None}, "label": "ab"[n % 2]}
        for n in range(6)
    ]
    stored[5]["photo"] = None
    part = datasets.Dataset.from_list(stored).cast(kinds)
    part.to_parquet(str(tmp_path / "a.parquet"))
    plain = [{"photo": row["photo"] and row["photo"]["bytes"], "clip": row["clip"]["bytes"]} for row in stored]  # type: ignore[index]
    for source in (part, tmp_path / "a.parquet", plain):
        table = open_table(source)
        columns = guess_columns(table).columns
        assert (columns.image, columns.audio) == (("photo",), ("clip",))
        samples = pickle.loads(pickle.dumps(TableSamples(table, columns)))
        for place in range(5):
            check_embedded(samples[place], place)
        assert "photo" not in samples[5].signals
    stream = TableStream(open_table(part.to_iterable_dataset(), streaming=True), columns)
    check_embedded(dict(stream.share(1, 2))[3], 3)


def test_lists_of_numbers_are_rows(tmp_path: Path) -> None:
    stored = [{"vector": [1.0, 2.0], "series": [[1, 2], [3, 4]]}, {"vector": None, "series": [[1, 2], [3]]}]
    table = open_table(stored)
    assert guess_columns(table).columns.rows == ("vector", "series")
    first, second = TableSamples(table, Columns(rows=("vector", "series")))
    for name, expected in (("vector", [[1.0, 2.0]]), ("series", [[1.0, 2.0], [3.0, 4.0]])):
        rows = read_rows(first, name)
        assert rows is not None
        assert rows.values.tolist() == expected
    assert "vector" not in second.signals
    with pytest.raises(SignalError, match="signal 'series': found a list that is no table"):
        read_rows(second, "series")


def test_ids_are_the_columns_or_the_rows(tmp_path: Path) -> None:
    table = open_table([{"id": n / 1.0, "text": "a"} for n in range(5)])
    samples = TableSamples(table, Columns(text=("text",), id="id"))
    assert [sample.id for sample in samples] == list(samples.ids()) == ["0", "1", "2", "3", "4"]
    plain = TableSamples(table, Columns(text=("text",)))
    assert [sample.id for sample in plain[1:3]] == list(plain[1:3].ids()) == ["row 2", "row 3"]
    assert [plain.select([4, 0]).number(place) for place in (0, 1, -1)] == [4, 0, 0]
    assert plain[-1].id == "row 5"
    with pytest.raises(IndexError):
        plain[5]


@pytest.mark.parametrize(
    ("cells", "ids"),
    [
        ([2**53 + 1, 2**53], ["9007199254740993", "9007199254740992"]),
        ([Decimal("7.00"), Decimal("7.50")], ["7", "7.5"]),
        ([7.0, 7.5], ["7", "7.5"]),
        ([b"a", b"\xff"], ["a", "\\xff"]),
        ([True, False], ["True", "False"]),
        (["1", "1.0"], ["1", "1.0"]),
        ([[1], [2]], ["[1]", "[2]"]),
    ],
)
def test_ids_are_read_by_their_value(cells: list[Any], ids: list[str]) -> None:
    samples = TableSamples(
        open_table([{"text": "a", "key": cell} for cell in cells]), Columns(text=("text",), id="key")
    )
    assert [sample.id for sample in samples] == list(samples.ids()) == ids


def test_ids_may_be_empty_or_come_again() -> None:
    samples = TableSamples(open_table([{"id": name} for name in ("a", None, "a")]), Columns(id="id"))
    assert [sample.id for sample in samples] == list(samples.ids()) == ["a", "row 2", "a"]


def test_a_target_that_cannot_be_read_is_marked_and_hidden_when_not_asked_for() -> None:
    table = open_table([{"text": "a", "y": "many"}])
    columns = Columns(text=("text",), target=("y",))
    found = TableSamples(table, columns, NumberCells(columns=("y",)))[0].target
    assert isinstance(found, Unreadable)
    assert (found.found, found.expected, found.column) == ("'many'", "a finite number as target", "y")
    assert TableSamples(table, columns)[0].target is None


def test_unknown_columns_are_refused_with_near_ones() -> None:
    table = open_table([{"photo": "a.png", "caption": "a"}])
    with pytest.raises(TableError, match="unknown column 'foto', did you mean 'photo'"):
        TableSamples(table, Columns(image=("foto",)))
    with pytest.raises(TableError, match="unknown column 'captoin', did you mean 'caption'"):
        guess_columns(table, ColumnOptions(text="captoin"))
    with pytest.raises(TableError, match="given as image and again as text"):
        Columns(image=("photo",), text=("photo",))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shares_of_a_stream_are_the_whole(count: int) -> None:
    table = open_table([{"text": str(n)} for n in range(20)], streaming=True)
    stream = pickle.loads(pickle.dumps(TableStream(table, Columns(text=("text",)))))
    shares = [list(stream.share(index, count)) for index in range(count)]
    assert all(number % count == index for index, share in enumerate(shares) for number, _ in share)
    found = sorted((number, sample.signals["text"]) for share in shares for number, sample in share)
    assert found == [(n, str(n)) for n in range(20)]
    with pytest.raises(ValueError, match="found share"):
        next(iter(stream.share(count, count)))


def test_a_group_may_be_an_input_too() -> None:
    table = open_table([{"who": "anna", "part": "train", "y": "a"}])
    columns = Columns(text=("who",), target=("y",), group="who", split="part")
    for found in (TableSamples(table, columns)[0], dict(TableStream(table, columns).share(0, 1))[0]):
        assert dict(found.signals) == {"who": "anna"}


def test_a_column_may_be_called_as_numbers_are_together() -> None:
    columns = Columns(text=("features",), features=("age",), rows=("features_",))
    (sample,) = TableSamples(open_table([{"features": "a", "age": 7, "features_": [1.0]}]), columns)
    assert set(sample.signals) == set(columns.signals) == {"features", "features_", "features__"}
    assert np.asarray(sample.signals["features__"]).tolist() == [[7.0]]


@pytest.mark.parametrize("streaming", [False, True])
def test_words_stand_for_empty_cells_where_numbers_and_targets_are_read(streaming: bool) -> None:
    cells = {"text": "None", "age": " NA", "weight": "2", "y": "null"}
    columns = Columns(text=("text",), features=("age", "weight"), target=("y",))

    def sample(**options: Any) -> Sample:
        table = open_table([cells, {**cells, "y": "b"}], streaming=streaming, **options)
        target = target_kind(table, columns)
        read = TableStream(table, columns, target) if streaming else TableSamples(table, columns, target)
        return next(read.share(0, 1))[1] if isinstance(read, TableStream) else read[0]

    usual = sample()
    assert (usual.signals["text"], usual.target) == ("None", None)
    np.testing.assert_array_equal(np.asarray(usual.signals["features"]), [[np.nan, 2]])
    none = sample(blanks=[])
    assert (none.signals["text"], none.target) == ("None", "null")
    assert isinstance(none.signals["features"], Unreadable)
    named = sample(blanks=["None", "NA"])
    assert ("text" in named.signals, named.target) == (False, "null")
    np.testing.assert_array_equal(np.asarray(named.signals["features"]), [[np.nan, 2]])


def test_words_for_empty_cells_are_noted() -> None:
    columns = Columns(text=("text",), features=("age",), target=("y",))
    table = open_table([{"text": "NA", "age": "NA", "y": "x"}, {"text": "a", "age": "nan", "y": "None"}])
    age, y = blank_notes(table, columns)
    assert age.startswith("column 'age': 'NA', 'nan' counts as empty (2 of 2 rows examined)")
    assert y.startswith("column 'y': 'None' counts as empty (1 of 2 rows examined)")
    assert blank_notes(table.reading(columns), columns) == (age, y)
    assert blank_notes(open_table([{"age": "-"}], blanks=["-"]), Columns(features=("age",))) == ()


def test_columns_that_a_table_lacks_read_as_empty() -> None:
    table = open_table([{"age": 7}]).with_empty(["weight", "photo"])
    columns = Columns(image=("photo",), features=("weight", "age"))
    (sample,) = TableSamples(table, columns)
    np.testing.assert_array_equal(np.asarray(sample.signals["features"]), [[np.nan, 7]])
    assert (table.column("photo"), "photo" in sample.signals) == ([None], False)


@pytest.mark.parametrize("way", ["whole", "row by row", "stream", "stream in pieces", "selected"])
def test_numbers_are_the_same_however_rows_are_read(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"a": 1_700_000_000.25 + n, "b": ("7", "x", "", "1e39", "NA")[n % 5], "c": None if n % 2 else n, "t": str(n)}
        for n in range(20)
    ]
    table, columns = open_table(rows, streaming="stream" in way), Columns(text=("t",), features=("b", "a", "c"))
    if way == "row by row":
        monkeypatch.setattr(table_samples, "IN_MEMORY", 0)
    if way == "stream in pieces":
        monkeypatch.setattr(table_stream, "TOGETHER", 10)
    samples: Any = [sample for _, sample in TableStream(table, columns).share(0, 1)]
    if "stream" not in way:
        samples = TableSamples(table, columns)
        samples = samples if way != "selected" or samples[0] is None else samples[:].select(range(20))
    for n, sample in enumerate(samples):
        found = sample.signals["features"]
        strange = {1: "'x'", 3: "'1e39'"}.get(n % 5)
        assert isinstance(found, Unreadable) == (strange is not None)
        if isinstance(found, Unreadable):
            assert (found.found, found.column) == (f"{strange} in column 'b'", "b")
            found = found.rest
        expected = [[7.0 if n % 5 == 0 else np.nan, 1_700_000_000.25 + n, np.nan if n % 2 else n]]
        np.testing.assert_array_equal(np.asarray(found), expected)


def scaled(rows: list[dict[str, object]]) -> torch.Tensor:
    samples = TableSamples(open_table(rows), Columns(features=("a", "b")))
    fitted = Features(signal="features", width=2, blanks=True).fit(samples)
    nodes = [fitted.nodes(sample) for sample in samples]
    return torch.cat([found.values for found in nodes if found is not None])


@pytest.mark.parametrize("offset", [1_700_000_000, 1_700_000_000_000, 20_000_000, 5_612_345, 20240101, -1.7e9])
@pytest.mark.parametrize("as_text", [False, True])
def test_an_offset_changes_no_scaled_value(offset: float, as_text: bool) -> None:
    plain = [{"a": n * 7 % 60, "b": n % 11 / 4 if n % 3 else None} for n in range(60)]
    moved: list[dict[str, object]] = [
        {name: None if cell is None else cell + offset for name, cell in row.items()} for row in plain
    ]
    if as_text:
        moved = [{name: None if cell is None else repr(cell) for name, cell in row.items()} for row in moved]
    found, expected = scaled(moved), scaled([dict(row) for row in plain])
    grain = float(np.spacing(abs(offset) + 60))  # of the numbers with the offset
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=2 * grain + 1e-6)


def test_lists_of_numbers_keep_their_digits() -> None:
    for cell in ([1.7e9, 1.7e9 + 0.25], [[1.7e9, 1.7e9 + 0.25]]):
        sample = TableSamples(open_table([{"x": cell}]), Columns(rows=("x",)))[0]
        rows = read_rows(sample, "x", dtype=torch.float64)
        assert rows is not None
        assert rows.values.tolist() == [[1.7e9, 1.7e9 + 0.25]]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("separator", [None, ";"])
def test_a_class_that_could_not_be_written_is_refused_with_its_row(
    tmp_path: Path, separator: str | None, streaming: bool
) -> None:
    (tmp_path / "a.csv").write_bytes(
        "text,label\none,th\u00e9\ntwo,caf\u00e9\n".encode().replace(b"f\xc3\xa9", b"f\xe9")
    )
    table = open_table(tmp_path / "a.csv", streaming=streaming)
    columns = Columns(text=("text",), target=("label",))
    target = target_kind(table, columns, separator=separator)
    samples = [s for _, s in TableStream(table, columns, target).share(0, 1)]
    assert samples[0].target == ("th\u00e9" if separator is None else ("th\u00e9",))
    found = samples[1].target
    assert isinstance(found, Unreadable)
    assert (found.found, found.column) == ("'caf\\udce9', which is not UTF-8", "label")
    assert "save the table as UTF-8" in found.expected


def test_half_of_a_surrogate_pair_is_not_called_a_wrong_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one", "label": "b"}\n{"text": "two", "label": "a\\ud800"}\n')
    table = open_table(tmp_path / "a.jsonl")
    columns = Columns(text=("text",), target=("label",))
    found = [s for _, s in TableStream(table, columns, target_kind(table, columns)).share(0, 1)][1].target
    assert isinstance(found, Unreadable)
    assert found.found.endswith("which has half of a surrogate pair")
    assert "UTF-8" not in found.expected
