"""Checks Arrow data from outside before any cell is read: broken offsets would crash the process."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gnnfuse.tables.error import TableError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 50_000


def column_names(names: Sequence[str], table: str) -> tuple[str, ...]:
    """The names of columns as tables use them; a column without a name is named by its position, "column 1".

    Args:
        names: the source's own names.
        table: names the table in messages.

    Raises:
        TableError: a name occurs twice or is not UTF-8, or there are more than 50,000 columns.

    Example:
        >>> column_names(["", "text"], "a table")
        ('column 1', 'text')
    """
    if len(names) > MOST_COLUMNS:
        raise TableError(
            f"table {table}: found {len(names):,} columns, expected at most {MOST_COLUMNS:,}; put the numbers of a row "
            "into one column of lists"
        )
    found = tuple(name if name.strip() else f"column {place}" for place, name in enumerate(names, 1))
    for place, name in enumerate(found, 1):
        if re.search("[\ud800-\udfff]", name):
            raise TableError(f"table {table}: the name of column {place} is not UTF-8; save the table as UTF-8")
    twice = repeated(found)
    if twice is not None:
        raise TableError(f"table {table}: column {twice!r} occurs twice in the header")
    return found


def repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs twice; None if all differ.

    Example:
        >>> repeated(["a", "b", "b"])
        'b'
    """
    return next((name for name, count in Counter(names).items() if count > 1), None)


def checked_schema(schema: "pa.Schema", table: str) -> "pa.Schema":
    """A schema with the names of `column_names`.

    Raises:
        TableError: as `column_names`, or a struct has two fields of one name.
    """
    import pyarrow as pa

    names = column_names(schema.names, table)
    for name, field in zip(names, schema, strict=True):
        for kind in _nested(field.type):
            fields = [kind.field(place).name for place in range(kind.num_fields)] if pa.types.is_struct(kind) else []
            twice = repeated(fields)
            if twice is not None:
                raise TableError(f"table {table}, column {name!r}: field {twice!r} occurs twice in its structs")
    if names == tuple(schema.names):
        return schema
    renamed = [field.with_name(name) for name, field in zip(names, schema, strict=True)]
    return pa.schema(renamed, schema.metadata)


def _nested(kind: "pa.DataType") -> "Iterator[pa.DataType]":
    yield kind
    for place in range(kind.num_fields):
        yield from _nested(kind.field(place).type)


def check_values(data: "pa.Table | pa.RecordBatch", table: str) -> None:
    """Refuse offsets, lengths and dictionary indices that point outside their buffers. Reads all offsets and texts.

    Text columns may hold texts that are not UTF-8; these are detected cell by cell.

    Raises:
        TableError: names the column.
    """
    import pyarrow as pa

    for name, column in zip(data.schema.names, data.columns, strict=True):
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            try:
                _validate(chunk)
            except (pa.ArrowException, ValueError, OverflowError) as error:
                raise TableError(
                    f"table {table}, column {name!r}: found damaged Arrow data ({error}); write the file again"
                ) from error


def _validate(array: "pa.Array") -> None:
    import pyarrow as pa

    plain = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(array.type)
    (array if plain is None else array.view(plain)).validate(full=True)


@dataclass(frozen=True)
class Checked:
    """Batches that are checked as they are read, in every pass.

    Args:
        batches: the batches.
        table: names the table in messages.
    """

    batches: "Iterable[pa.RecordBatch]"
    table: str

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        for batch in self.batches:
            check_values(batch, self.table)
            yield batch
