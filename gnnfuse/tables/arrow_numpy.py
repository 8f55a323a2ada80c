"""Converts Arrow number columns to numpy arrays by DLPack, and back through their buffers.

pyarrow's `to_numpy` and `array` import pandas where it is installed, which costs more than a third of `import torch`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64

if TYPE_CHECKING:
    import pyarrow as pa


def numbers_of(column: "pa.Array | pa.ChunkedArray") -> np.ndarray[Any, np.dtype[Any]]:
    """The cells of a column of numbers or booleans, `[rows]`; empty cells are NaN and make integers float64.

    Example:
        >>> import pyarrow as pa
        >>> numbers_of(pa.array([2, None, 3])).tolist(), numbers_of(pa.array([True, False])).tolist()
        ([2.0, nan, 3.0], [True, False])
    """
    import pyarrow as pa

    boolean = column.type == pa.bool_()
    array = column.cast(pa.uint8()) if boolean else column
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    plain = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    values = np.array(np.from_dlpack(plain), dtype=bool if boolean else None)
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
    import pyarrow as pa

    valid = column.is_valid().cast(pa.uint8())
    return np.from_dlpack(valid.combine_chunks() if isinstance(valid, pa.ChunkedArray) else valid).astype(bool)


def arrow_booleans(values: Bool[np.ndarray, "rows"]) -> "pa.Array":
    """Booleans as an Arrow array."""
    import pyarrow as pa

    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])


def arrow_integers(values: Int64[np.ndarray, "rows"]) -> "pa.Array":
    """Integers as an Arrow array."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
