"""Converts Arrow number columns to numpy arrays and back through their buffers.

pyarrow's own conversions import pandas where it is installed, which costs more than a third of `import torch`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

if TYPE_CHECKING:
    import pyarrow as pa

FLOATS = {"halffloat": "float16", "float": "float32", "double": "float64"}  # Arrow's names -> numpy's


def numbers_of(column: "pa.Array | pa.ChunkedArray") -> np.ndarray[Any, np.dtype[Any]]:
    """The cells of a column of numbers or booleans, `[rows]`; empty cells are NaN and make integers float64.

    Example:
        >>> import pyarrow as pa
        >>> numbers_of(pa.array([2, None, 3])).tolist(), numbers_of(pa.array([True, False])).tolist()
        ([2.0, nan, 3.0], [True, False])
    """
    found = [_numbers(chunk) for chunk in _chunks(column)]
    values = np.concatenate(found) if found else np.zeros(0, _dtype(column.type))
    if column.null_count:
        values = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
        values[~filled_of(column)] = np.nan
    return values


def filled_of(column: "pa.Array | pa.ChunkedArray") -> Bool[np.ndarray, "rows"]:
    """Whether each cell holds a value.

    Example:
        >>> import pyarrow as pa
        >>> filled_of(pa.chunked_array([["a"], [None, "b"]])).tolist()
        [True, False, True]
    """
    found = [_filled(chunk) for chunk in _chunks(column)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def arrow_booleans(values: Bool[np.ndarray, "rows"]) -> "pa.Array":
    """Booleans as an Arrow array."""
    import pyarrow as pa

    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])


def arrow_integers(values: Int64[np.ndarray, "rows"]) -> "pa.Array":
    """Integers as an Arrow array."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _chunks(column: "pa.Array | pa.ChunkedArray") -> "list[pa.Array]":
    import pyarrow as pa

    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _dtype(kind: "pa.DataType") -> np.dtype[Any]:
    return np.dtype(FLOATS.get(str(kind), str(kind)))


def _numbers(array: "pa.Array") -> np.ndarray[Any, np.dtype[Any]]:
    buffer = array.buffers()[1]
    if str(array.type) == "bool":
        return _bits(buffer, array.offset, len(array))
    found: np.ndarray[Any, np.dtype[Any]]
    found = np.frombuffer(b"" if buffer is None else buffer, _dtype(array.type), count=array.offset + len(array))
    return found[array.offset :]


def _filled(array: "pa.Array") -> Bool[np.ndarray, "rows"]:
    if not array.null_count:
        return np.ones(len(array), bool)
    if str(array.type) == "null":
        return np.zeros(len(array), bool)
    return _bits(array.buffers()[0], array.offset, len(array))


def _bits(buffer: "pa.Buffer | None", offset: int, count: int) -> Bool[np.ndarray, "rows"]:
    if buffer is None:
        return np.zeros(count, bool)
    first, skipped = divmod(offset, 8)  # a slice of a long column costs no more than a short column
    packed = np.frombuffer(buffer, np.uint8, count=-(-(skipped + count) // 8), offset=first)
    return np.unpackbits(packed, count=skipped + count, bitorder="little")[skipped:].astype(bool)
