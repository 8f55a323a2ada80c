"""Cells of Arrow columns as Python values, without copying more than the cell."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gnnfuse.tables.arrow_numpy import numbers_of
from gnnfuse.tables.error import CellError

if TYPE_CHECKING:
    import pyarrow as pa

Cell = object
Read = Callable[[Any, int], Cell]  # an Arrow array and a place in it -> the cell


def readers(types: "Mapping[str, pa.DataType]", texts: frozenset[str]) -> dict[str, Read]:
    """A reader for the cells of each column.

    Args:
        types: the columns' Arrow types.
        texts: columns of bytes that are texts of unchecked encoding.

    Returns:
        Column -> reader, which returns None for a null, an array for a list of numbers, and a `str` for a text. Bytes
        that are not UTF-8 become lone surrogates (`surrogateescape`), so they neither stop the table nor count as text.
        Other values are as Arrow returns them. A reader raises `CellError` for a value that Python cannot represent,
        such as a date before the year 1.
    """
    return {name: _reader(name, kind, name in texts) for name, kind in types.items()}


def is_text(kind: "pa.DataType", named: bool) -> bool:
    """Whether a column holds texts: by its type, or because its bytes are declared (`named`) to be texts."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        return False
    return named or bool(types.is_string(kind) or types.is_large_string(kind))


def _reader(name: str, kind: "pa.DataType", text: bool) -> Read:
    if is_text(kind, text):
        return _text
    if _is_list(kind) and is_number(kind.value_type):
        return _numbers

    def plain(array: Any, place: int) -> Cell:
        try:
            return array[place].as_py()
        except (OverflowError, ValueError, LookupError, ImportError) as error:  # dates and zones unknown to Python
            raise CellError(name, f"a {kind} that cannot be read ({error})", "values that Python has") from error

    return plain


def _text(array: Any, place: int) -> str | None:
    buffer = array[place].as_buffer()
    return None if buffer is None else str(buffer.to_pybytes(), "utf-8", "surrogateescape")


def _numbers(array: Any, place: int) -> Cell:
    values = array[place].values
    return None if values is None else numbers_of(values)


def _is_list(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_number(kind: "pa.DataType") -> bool:
    """Whether an Arrow type is one of numbers or booleans."""
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
