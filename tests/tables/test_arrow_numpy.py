import numpy as np
import pyarrow as pa
import pytest

from gnnfuse.tables.arrow_numpy import arrow_booleans, arrow_integers, filled_of, numbers_of

KINDS = [pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.int64(), pa.uint16(), pa.bool_()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("empty", [False, True])
def test_numbers_are_those_of_pyarrow(kind: pa.DataType, empty: bool) -> None:
    cells = [1, 0, None if empty else 1, 1, 0, 1, 1, 0, 1, 0, 1]
    array = pa.array(np.array([np.nan if cell is None else cell for cell in cells]), from_pandas=True).cast(kind)
    column = pa.chunked_array([array, array[3:], array[2:2], array[1:4]])
    expected = np.array([np.nan if cell is None else float(cell) for cell in column.to_pylist()])
    found = numbers_of(column)
    np.testing.assert_array_equal(found.astype(np.float64), expected)
    assert found.dtype == (np.float64 if empty and not pa.types.is_floating(kind) else kind.to_pandas_dtype())
    assert filled_of(column).tolist() == [cell is not None for cell in column.to_pylist()]


def test_columns_without_rows_and_without_cells() -> None:
    assert numbers_of(pa.chunked_array([], pa.int32())).dtype == np.int32
    assert filled_of(pa.chunked_array([], pa.string())).shape == (0,)
    assert filled_of(pa.nulls(2)).tolist() == [False, False]
    assert np.isnan(numbers_of(pa.nulls(3, pa.bool_()))).all()


def test_numpy_to_arrow() -> None:
    places = np.arange(19) % 3 == 0
    assert arrow_booleans(places).to_pylist() == places.tolist()
    assert arrow_integers(np.arange(20)[::-3]).to_pylist() == list(range(20))[::-3]


def test_a_slice_of_a_long_column_costs_no_more_than_a_short_column() -> None:
    """Lists are such slices: reading all of them would take a time that grows with the square of the rows."""
    column = pa.array([None if place % 7 == 0 else place % 3 == 0 for place in range(10_000)])
    pool, usual = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        for start in (0, 1, 7, 8, 500, 9993):
            part = column[start : start + 7]
            expected = [np.nan if cell is None else float(cell) for cell in part.to_pylist()]
            np.testing.assert_array_equal(numbers_of(part), expected)
    finally:
        pa.set_memory_pool(usual)
    assert pool.max_memory() < 1024
