"""Rows, frames and Arrow data in memory: each cell is read by its value."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
import pytest
import torch
from PIL import Image

from gnnfuse.sample import Sample, read_image
from gnnfuse.tables import Columns, TableError, TableSamples, guess_columns, open_table


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (Path("photos") / "a.png", "photos/a.png"),
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.array(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (torch.tensor(3), 3),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (np.datetime64("2024-01"), datetime(2024, 1, 1)),
        (np.datetime64("2024-01-02"), datetime(2024, 1, 2)),
        (np.ones((2, 3), np.float32), [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
        (torch.ones(2, 1, dtype=torch.bfloat16), [[1.0], [1.0]]),
        (2**70, str(2**70)),
        ("caf\udce9", "caf\udce9"),
    ],
)
@pytest.mark.parametrize("frame", [False, True])
def test_a_cell_is_read_by_its_value(cell: object, expected: object, frame: bool) -> None:
    rows = [{"a": cell, "b": 1}, {"a": None, "b": 2}]
    source: object = pd.DataFrame({"a": pd.Series([cell, None], dtype=object), "b": [1, 2]}) if frame else rows
    assert open_table(source).column("a") == [expected, None]


@pytest.mark.parametrize(
    "cell", [np.array([1.0, 2.0]), torch.tensor([1.0, 2.0]), [torch.tensor(1.0), np.float64(2)], (1.0, 2.0)]
)
def test_numbers_in_lists(cell: object) -> None:
    found = open_table([{"a": cell}]).column("a")[0]
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [1.0, 2.0]


def test_texts_and_numbers_in_one_column_are_texts() -> None:
    cells = [1, "one", None, 2.5, True, np.int64(4), float("nan")]
    expected = ["1", "one", None, "2.5", "true", "4", None]
    assert open_table([{"a": cell} for cell in cells]).column("a") == expected
    assert open_table(pd.DataFrame({"a": pd.Series(cells, dtype=object)})).column("a") == expected


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x", [1]], r"row 2, column 'a': found a list, and a str in row 1, expected cells of one kind"),
        ([None, object()], r"row 2, column 'a': found a object .*expected a text, a number"),
        ([np.ones((2, 3, 3))], r"row 1, column 'a': found an array of shape \[2, 3, 3\].*PIL\.Image\.fromarray"),
    ],
)
def test_cells_that_no_column_can_hold_are_named(cells: list[object], message: str) -> None:
    with pytest.raises(TableError, match=message):
        open_table([{"a": cell} for cell in cells])


def test_a_cell_nested_too_deep_is_named() -> None:
    cell: list[object] = []
    for _ in range(10_000):
        cell = [cell]
    with pytest.raises(TableError, match="row 1, column 'a': found lists nested more than 32 deep"):
        open_table([{"a": cell}])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV"])
def test_pictures_keep_their_pixels(mode: str) -> None:
    rng = np.random.default_rng(0)
    if mode in ("I;16", "I", "F"):
        pixels = rng.integers(0, 2**16, (6, 5)).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        picture = Image.fromarray(pixels / np.float32(2**16) if mode == "F" else pixels)
    else:
        picture = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).convert(mode)
    assert picture.mode == mode
    table = open_table([{"photo": picture, "label": "x"}, {"photo": None, "label": "y"}])
    assert guess_columns(table).columns.image == ("photo",)
    found = read_image(TableSamples(table, Columns(image=("photo",)))[0], "photo")
    expected = read_image(Sample({"photo": picture}), "photo")
    assert found is not None
    assert expected is not None
    assert torch.equal(found, expected)


class Frame:
    """A frame of a library that is not installed: it can give its columns to Arrow, and no more."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_frames_of_other_libraries_are_read_through_arrow(kind: "pa.DataType") -> None:
    rows = [{"text": "a text of some length", "n": 1}, {"text": None, "n": 2}]
    table = pa.Table.from_pylist(rows, schema=pa.schema([("text", kind), ("n", pa.int64())]))
    found = open_table(Frame(table))
    assert list(found.each(found.columns)) == rows
    assert guess_columns(found).columns == guess_columns(open_table(rows)).columns
