"""A table: rows by number or one after another, from any source."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from gnnfuse import catalog
from gnnfuse.data.overwriting import Written
from gnnfuse.tables.arrow_cells import Cell, Read, is_text, readers
from gnnfuse.tables.arrow_rows import IndexedRows
from gnnfuse.tables.blanks import Blanks
from gnnfuse.tables.column_numbers import ColumnNumbers, column_numbers
from gnnfuse.tables.error import TableError
from gnnfuse.tables.media_path import MediaFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from gnnfuse.tables.columns import Columns

Cells = dict[str, Cell]


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Rows and columns as stored in a file; `open_table` makes one.

    Rows are counted from 1 in messages and reports ("row 1" is the first below the header), and from 0 in code.
    An empty cell (a null, a text of only white space, NaN, a word of `blanks`) reads as None.

    Args:
        name: names the table in messages.
        types: column -> Arrow type.
        rows: the rows by number; None for a table that is read as a stream.
        batches: the rows in order as Arrow batches; can be iterated repeatedly.
        media: where paths in cells start from.
        texts: columns of bytes that are texts.
        kinds: column -> what the source declares it to hold: "image", "audio" or "text" (paths or bytes of such
            files), "label", "id", "split".
        class_names: column -> the names that its numbers, or the numbers in its lists, stand for.
        blanks: words that stand for an empty cell.
        measured: columns of numbers and targets, where blank words are honoured even if not elsewhere; see `reading`.
        empty: columns missing from the source, which read as empty; see `with_empty`.
        notes: what was left out on opening, in words.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"text": "a cat", "label": "cat"}, {"text": " ", "label": "dog"}])
        >>> len(table), table.cells(1, ["text", "label"])
        (2, {'text': None, 'label': 'dog'})
    """

    name: str
    types: "Mapping[str, pa.DataType]"
    rows: IndexedRows | None
    batches: "Iterable[pa.RecordBatch]"
    media: MediaFolder
    texts: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    blanks: Blanks = field(default_factory=Blanks)
    measured: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.types)

    @property
    def streaming(self) -> bool:
        """Whether rows can only be read one after another."""
        return self.rows is None

    @property
    def indexed(self) -> IndexedRows:
        """The rows by number.

        Raises:
            TableError: the table is read as a stream.
        """
        if self.rows is None:
            raise TableError(f"table {self.name}: rows of a stream have no numbers; open it without streaming=True")
        return self.rows

    def __len__(self) -> int:
        return len(self.indexed)

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that are not columns; the message suggests similar ones.

        Raises:
            TableError: a name is unknown.
        """
        for name in names:
            if name not in self.types:
                raise TableError(f"table {self.name}: {catalog.unknown('column', name, self.columns)}")

    def reading(self, columns: "Columns") -> "Table":
        """The same table with number and target columns marked as `measured`.

        Raises:
            TableError: a column is unknown; the message names near ones.
        """
        self.check(columns.used)
        return replace(self, measured=frozenset((*columns.features, *columns.target)))

    def writing(self, written: Iterable[Path]) -> "Table":
        """The same table for a caller that will write some files; a cell that names one of them is an error."""
        return replace(self, media=replace(self.media, written=Written.of(written)))

    def with_empty(self, names: Iterable[str]) -> "Table":
        """The same table with additional columns of empty cells."""
        import pyarrow as pa

        new = tuple(names)
        types = {**self.types, **dict.fromkeys(new, pa.null())}
        return replace(self, types=types, empty=self.empty.union(new))

    def cells(self, number: int, names: Iterable[str]) -> Cells:
        """Some cells of the row with a number, from 0."""
        batch, place = self.indexed.place(range(len(self))[number])
        return self.cells_in(batch, place, names)

    def column(self, name: str) -> list[Cell]:
        """All cells of a column."""
        self.check([name])
        if name in self.empty:
            return [None] * len(self)
        return self.read(name, self.indexed.columns([name]).column(0))

    def read(self, name: str, column: "pa.ChunkedArray") -> list[Cell]:
        """The cells of some rows of a column."""
        read = readers({name: _stored_type(column)}, self.texts)[name]
        return [self._clean(name, read(chunk, place)) for chunk in column.chunks for place in range(len(chunk))]

    def numbers(self, name: str, column: "pa.ChunkedArray", *, largest: float = np.inf) -> ColumnNumbers:
        """The numbers in some rows of a column, as `number_in` finds them, at a fraction of the cost.

        Args:
            name: the column's name.
            column: the rows.
            largest: numbers of larger magnitude do not count as numbers.
        """
        return column_numbers(
            column,
            partial(self.read, name),
            as_stored=name not in self.class_names,
            text=is_text(_stored_type(column), name in self.texts),
            largest=largest,
        )

    def each(self, names: Iterable[str]) -> Iterator[Cells]:
        """Some cells of every row, in order."""
        wanted = tuple(names)
        self.check(wanted)
        for batch in self.batches:
            for place in range(len(batch)):
                yield self.cells_in(batch, place, wanted)

    def look(self, count: int, names: Iterable[str]) -> list[tuple[int, Cells]]:
        """Some cells of up to `count` rows to examine, with row numbers; see `looked`."""
        wanted = tuple(names)
        numbers, rows = self.looked(count, wanted)
        cells = [self.read(name, column) for name, column in zip(wanted, rows.columns, strict=True)]
        if not cells:
            return [(number, {}) for number in numbers.tolist()]
        each = (dict(zip(wanted, row, strict=True)) for row in zip(*cells, strict=True))
        return list(zip(numbers.tolist(), each, strict=True))

    def looked(self, count: int, names: Iterable[str]) -> "tuple[Int64[np.ndarray, 'rows'], pa.Table]":
        """Up to `count` rows to examine, and their numbers: drawn from all rows (always the same ones, in order; evenly
        spaced ones could all be of one class if classes alternate); the first rows of a stream."""
        wanted = tuple(names)
        self.check(wanted)
        stored = [name for name in wanted if name not in self.empty]
        if self.rows is None:
            rows = _first(self.batches, count, stored)
            numbers = np.arange(len(rows))
        else:
            numbers = np.arange(len(self))
            if len(self) > count:
                numbers = np.sort(np.random.default_rng(0).choice(len(self), count, replace=False))
            rows = self.rows.columns(stored) if len(self) <= count else self.rows.take(numbers, stored)
        return numbers, self._with_nulls(rows, wanted, len(numbers))

    def whole(self, names: Iterable[str]) -> "pa.Table":
        """Some columns of all rows."""
        wanted = tuple(names)
        self.check(wanted)
        stored = [name for name in wanted if name not in self.empty]
        return self._with_nulls(self.indexed.columns(stored), wanted, len(self))

    def columns_of(self, batch: "pa.RecordBatch", names: Iterable[str]) -> "pa.Table":
        """Some columns of a batch."""
        import pyarrow as pa

        wanted = tuple(names)
        stored = [name for name in wanted if name not in self.empty]
        return self._with_nulls(pa.Table.from_batches([batch]).select(stored), wanted, len(batch))

    def _with_nulls(self, rows: "pa.Table", names: tuple[str, ...], count: int) -> "pa.Table":
        """The rows with missing columns added as nulls, in the order of names."""
        import pyarrow as pa

        if not self.empty.intersection(names):
            return rows
        found = dict(zip(rows.column_names, rows.columns, strict=True))
        return pa.table([found[name] if name in found else pa.nulls(count) for name in names], names=list(names))

    def cells_in(self, batch: "pa.RecordBatch", place: int, names: Iterable[str]) -> Cells:
        """Some cells of a row of a batch."""
        read, empty = self._readers, self.empty
        return {
            name: None if name in empty else self._clean(name, read[name](batch.column(name), place)) for name in names
        }

    @cached_property
    def _readers(self) -> dict[str, Read]:
        return readers(self.types, self.texts)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_readers"}

    def _clean(self, name: str, cell: Cell) -> Cell:
        if isinstance(cell, str):
            bare = cell.strip()
            worded = bare in self.blanks.words and (self.blanks.everywhere or name in self.measured)
            return None if not bare or worded else cell
        if isinstance(cell, float) and cell != cell:
            return None
        if name in self.class_names:
            return _named(cell, self.class_names[name])
        if isinstance(cell, dict) and not any(cell.values()):
            return None
        return cell


def _named(cell: Cell, names: tuple[str, ...]) -> Cell:
    """The class names that a number or a list of numbers stands for; None if there is none, as for -1."""
    if isinstance(cell, int):
        return names[cell] if 0 <= cell < len(names) else None
    return [_named(number, names) for number in cell.tolist()] if isinstance(cell, np.ndarray) else cell


def _stored_type(column: "pa.ChunkedArray") -> "pa.DataType":
    return getattr(column.type, "storage_type", column.type)


def _first(batches: "Iterable[pa.RecordBatch]", count: int, names: list[str]) -> "pa.Table":
    """The first rows of a stream."""
    import pyarrow as pa

    parts, rows = [], 0
    for batch in batches:
        parts.append(batch.select(names).slice(0, count - rows))
        rows += len(parts[-1])
        if rows == count:
            break
    return pa.Table.from_batches(parts) if parts else pa.table({name: pa.nulls(0) for name in names})
