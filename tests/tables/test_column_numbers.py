from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from gnnfuse.tables import Columns, TableSamples, column_numbers, guess_columns, open_table
from gnnfuse.tables.column_evidence import _of_cells, _of_numbers
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.table import Table

TEXTS: list[str | None] = [
    *("1", " 1.50 ", "1", "-0", "+7", "1.", ".5", "-.5e3", "1e5", "1E-5", "1e+05", "1e999", "-1e400", "1e-999", "1e39"),
    *("9" * 400, "0." + "3" * 50, "123456789012345678901234567890", "007", "1,5", "1,037", "1_000", "0x10", "1e", "."),
    *("nan", "NaN", "NA", "inf", "-Infinity", "true", "False", " TRUE", "", "   ", "\u00a01", "1\u2009", "\u0663.5"),
    *("\uff11", "12 kg", "None", "null", "1\n", "--1", "1 2", "½", "²", None, "1.7e9", "0.1", "2.5e-320", "abc"),
]
INTS = [0, -1, 2**53 + 1, 2**62 + 12345, None, 7]
FLOATS = [0.1, -0.0, np.nan, np.inf, -np.inf, None, 3.5e38, 1e-320, 1e300]


def columns() -> dict[str, pa.ChunkedArray]:
    texts = [None if text is None else text.encode() for text in TEXTS]
    found = {
        "strings": pa.chunked_array([TEXTS[:20], TEXTS[20:]], pa.string()),
        "large strings": pa.chunked_array([TEXTS], pa.large_string()),
        "bytes": pa.chunked_array([texts], pa.binary()),
        "broken bytes": pa.chunked_array([[*texts, b"\xff", b"1\xe9", b"3"]], pa.binary()),
        "broken strings": pa.chunked_array([pa.array([*texts, b"\xff", b"3"], pa.binary()).view(pa.string())]),
        "categories": pa.chunked_array([TEXTS[:30], TEXTS[25:]], pa.string()).dictionary_encode(),
        "int64": pa.chunked_array([INTS, [1, 2]], pa.int64()),
        "uint64": pa.chunked_array([[2**64 - 1, 0, None]], pa.uint64()),
        "float64": pa.chunked_array([FLOATS, [], [1.0]], pa.float64()),
        "float32": pa.chunked_array([[0.1, None, np.nan, np.inf]], pa.float32()),
        "float16": pa.chunked_array([pa.array([np.float16(0.1), np.float16(7)])]),
        "bool": pa.chunked_array([[True, None, False]]),
        "decimal": pa.chunked_array([[Decimal("0.10"), None, Decimal("12345678901234567.89")]]),
        "moments": pa.chunked_array([[datetime(2024, 1, 15), None]]),
        "lists": pa.chunked_array([[[1.0], None, []]], pa.list_(pa.float64())),
        "nulls": pa.chunked_array([pa.nulls(3)]),
        "nothing": pa.chunked_array([], pa.float64()),
    }
    return {name: column.slice(0) for name, column in found.items()}


def table_of(column: pa.ChunkedArray, *, read_as_numbers: bool = True) -> Table:
    opened = open_table(pa.table({"x": column}))
    opened.__dict__["texts"] = frozenset({"x"} if column.type == pa.binary() else ())
    return opened.reading(Columns(features=("x",))) if read_as_numbers else opened


@pytest.mark.parametrize("largest", [np.inf, 1e38, 2.0])
@pytest.mark.parametrize("name", columns())
def test_a_column_holds_what_its_cells_hold(name: str, largest: float) -> None:
    column = columns()[name]
    table = table_of(column)
    found = table.numbers("x", column, largest=largest)
    cells = table.column("x")
    numbers = [None if cell is None else number_in(cell) for cell in cells]
    expected = [np.nan if number is None or abs(number) > largest else number for number in numbers]
    np.testing.assert_array_equal(found.values, expected)
    strange = {k: cell for k, cell in enumerate(cells) if cell is not None and np.isnan(expected[k])}
    assert list(map(repr, sorted(found.strange.items()))) == list(map(repr, sorted(strange.items())))


def test_class_names_of_numbers_are_the_cells() -> None:
    table = open_table(pa.table({"x": [0, 1, 1, 5]}))
    table.__dict__["class_names"] = {"x": ("7", "seven")}
    found = table.numbers("x", table.indexed.columns(["x"]).column(0))
    np.testing.assert_array_equal(found.values, [7, np.nan, np.nan, np.nan])
    assert found.strange == {1: "seven", 2: "seven"}


RUNS: dict[str, Callable[[int], object]] = {
    "floats": lambda n: n * n / 7,
    "running": lambda n: n + 3,
    "constant": lambda _: 2.5,
    "a blank": lambda n: None if n == 3 else n % 5,
    "texts": lambda n: f" {n * n / 4}",
    "words for blanks": lambda n: ("NA", "null", f"{n}.0", str(n))[n % 4],
    "days": lambda n: 20240101 + n % 28,
    "days as texts": lambda n: str(20240101 + n % 28),
    "truths": lambda n: "true" if n % 3 else "false",
    "ids": lambda n: f"{n:03d}",
    "one": lambda n: 1.5 if n == 4 else None,
}


@pytest.mark.parametrize("name", RUNS)
def test_columns_of_numbers_give_the_evidence_that_their_cells_give(name: str) -> None:
    column = pa.chunked_array([[RUNS[name](n) for n in range(60)]])
    table = table_of(column, read_as_numbers=False)
    rows = np.arange(60)
    found, expected = _of_numbers(table, "x", rows, column), _of_cells(table, "x", rows, table.column("x"))
    assert found is not None
    shown = {field: value for field, value in vars(expected).items() if field != "shown_values"}  # of splits only
    assert {field: value for field, value in vars(found).items() if field != "shown_values"} == shown


def test_what_is_no_number_is_looked_at_cell_by_cell() -> None:
    for cells in (["a", "b", "1"], [None, None], ["NA", "null"], [b"1", b"2"], [[1.0], [2.0]]):
        column = pa.chunked_array([cells])
        assert _of_numbers(open_table(pa.table({"x": column})), "x", np.arange(len(column)), column) is None


def test_no_cell_of_a_numeric_column_is_read_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).normal(size=(30, 20))
    stored = {f"c{place}": column for place, column in enumerate(numbers.T)}
    spelt = {f"t{place}": [repr(float(number)) for number in column] for place, column in enumerate(numbers.T)}
    table = open_table(pa.table({**stored, **spelt, "label": ["a", "b"] * 15}))
    cells, one_by_one = 0, Table.read

    def counting(table: Table, name: str, column: pa.ChunkedArray) -> list[object]:
        nonlocal cells
        cells += len(column) if name != "label" else 0
        return one_by_one(table, name, column)

    monkeypatch.setattr(Table, "read", counting)
    monkeypatch.setattr(column_numbers, "number_in", lambda cell: None if cell in ("a", "b") else pytest.fail(cell))
    columns = guess_columns(table).columns
    assert len(columns.features) == 40
    assert cells == 40  # the examples
    samples = TableSamples(table, columns)
    found = np.concatenate([np.asarray(samples[place].signals["features"]) for place in range(30)])
    np.testing.assert_array_equal(found, np.concatenate([numbers, numbers], axis=1))
    assert cells == 40
