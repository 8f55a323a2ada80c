"""Columns of cells as columns of float64: equals `number_in` on every cell, without a call per cell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from gnnfuse.tables.arrow_cells import Cell, is_number
from gnnfuse.tables.arrow_numpy import arrow_booleans, filled_of, numbers_of
from gnnfuse.tables.numbers_in_cells import number_in

if TYPE_CHECKING:
    import pyarrow as pa

SPELT = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"  # Arrow parses it as `number_in` does; \d is ASCII in RE2


@dataclass(frozen=True, eq=False)
class ColumnNumbers:
    """The numbers of one column.

    Args:
        values: `[rows]`; NaN where a cell is empty or no number.
        strange: row -> cell, for each filled cell that is no number or too large a number.
    """

    values: Float64[np.ndarray, "rows"]
    strange: Mapping[int, Cell]


def column_numbers(
    column: "pa.ChunkedArray",
    cells: "Callable[[pa.ChunkedArray], list[Cell]]",
    *,
    as_stored: bool,
    text: bool,
    largest: float = np.inf,
) -> ColumnNumbers:
    """What `number_in` finds in each cell.

    Numbers that Arrow stores as such and texts that spell one in the usual way are converted column-wise. Everything
    else is read cell by cell, each different cell once.

    Args:
        column: the column.
        cells: reads cells; returns None for empty ones.
        as_stored: the column's numbers mean themselves; otherwise (they stand for class names) `cells` is called.
        text: the column holds texts.
        largest: numbers of larger magnitude are strange.

    Example:
        >>> import pyarrow as pa
        >>> column = pa.chunked_array([["1.5", None, " 7 ", "true", "12 kg"]])
        >>> found = column_numbers(column, lambda some: some.to_pylist(), as_stored=True, text=True)
        >>> found.values.tolist(), dict(found.strange)
        ([1.5, nan, 7.0, 1.0, nan], {4: '12 kg'})
    """
    if text:
        values, others = _spelt(column)
    elif as_stored and is_number(column.type):
        values = _stored(column)
        others = np.isinf(values)
    else:
        values, others = np.full(len(column), np.nan), filled_of(column)
    with np.errstate(invalid="ignore"):
        others |= np.abs(values) > largest
    places = np.flatnonzero(others)
    if not len(places):
        return ColumnNumbers(values, {})
    different, which = _different(column.filter(arrow_booleans(others)))
    read = cells(different)
    numbers = [_number(cell, largest) for cell in read]
    values[places] = np.array(numbers)[which]
    odd = np.array([cell is not None and number != number for cell, number in zip(read, numbers, strict=True)])[which]
    strange = {place: read[number] for place, number in zip(places[odd].tolist(), which[odd].tolist(), strict=True)}
    return ColumnNumbers(values, strange)


def _number(cell: Cell, largest: float) -> float:
    found = None if cell is None else number_in(cell)
    return np.nan if found is None or abs(found) > largest else found


def _stored(column: "pa.ChunkedArray") -> Float64[np.ndarray, "rows"]:
    return numbers_of(column).astype(np.float64)


def _spelt(column: "pa.ChunkedArray") -> tuple[Float64[np.ndarray, "rows"], Bool[np.ndarray, "rows"]]:
    """The numbers that texts spell, NaN elsewhere; and where other texts are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = filled_of(column)
    try:
        bare = pc.ascii_trim_whitespace(column.cast(pa.string()))
        spelt = pc.match_substring_regex(bare, SPELT)
        values = numbers_of(pc.if_else(spelt, bare, pa.nulls(1, pa.string())[0]).cast(pa.float64()))
    except pa.ArrowInvalid:  # bytes that are not UTF-8, or digits beyond float64
        return np.full(len(column), np.nan), filled
    values[np.isinf(values)] = np.nan
    return values, filled & np.isnan(values)


def _different(column: "pa.ChunkedArray") -> "tuple[pa.ChunkedArray, Int64[np.ndarray, 'cells']]":
    """The distinct cells, and the index among them for each row; all cells if Arrow cannot compare them."""
    import pyarrow as pa

    try:
        encoded: Any = pa.chunked_array([column.combine_chunks()]).dictionary_encode().chunk(0)
    except pa.ArrowNotImplementedError:
        return column, np.arange(len(column))
    return pa.chunked_array([encoded.dictionary]), numbers_of(encoded.indices).astype(np.int64)
