"""The ids of rows in answers: the unchanged cells of the table's id column, or row numbers."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from gnnfuse.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa


def id_type(table: Table, column: str | None) -> "pa.DataType":
    """The Arrow type of `ids_of`: numbers, booleans, dates and times keep the table's type, all others become text."""
    import pyarrow as pa
    import pyarrow.types as types

    if column is None:
        return pa.int64()
    kind = table.types[column]
    if types.is_dictionary(kind):
        kind = kind.value_type
    kept = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_temporal)
    return kind if column not in table.class_names and any(is_kind(kind) for is_kind in kept) else pa.string()


def ids_of(table: Table, column: str | None) -> Iterator[object]:
    """The id of each row, in order: its cell (None if empty), or its number from 1 if there is no id column.

    Ids are unchanged, except that bytes in text that is not UTF-8 are escaped. A stream is read once more, in parallel
    with the reader of its samples.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"id": " 000 ", "key": 7}, {"id": None, "key": 7}])
        >>> list(ids_of(table, "id")), list(ids_of(table, "key"))
        ([' 000 ', None], [7, 7])
    """
    if column is None:
        yield from count(1)
        return
    text = id_type(table, column) == "string"
    cells = (row[column] for row in table.each([column])) if table.streaming else iter(table.column(column))
    for cell in cells:
        as_text = text and cell is not None
        yield str(cell).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if as_text else cell
