"""A table: rows by number or one after another, whatever file they lie in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from gnnfuse import catalog
from gnnfuse.data.tables.arrow_cells import Cell, Read, readers
from gnnfuse.data.tables.arrow_rows import IndexedRows
from gnnfuse.data.tables.blanks import Blanks
from gnnfuse.data.tables.error import TableError
from gnnfuse.data.tables.media_path import MediaFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from gnnfuse.data.tables.columns import Columns

Cells = dict[str, Cell]


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Rows and columns as they stand in a file; `open_table` makes one.

    Rows are counted from 1 in all that is said to people ("row 1" is the first below the header), and from 0 in code.
    An empty cell (a null, a text of white space only, a number that is NaN, a word of `blanks`) reads as None.

    Args:
        name: names the table in messages.
        types: column -> Arrow type.
        rows: the rows by number; None for a table that is read as a stream.
        batches: the rows in order as Arrow batches; can be gone through again.
        media: where paths in cells start from.
        texts: columns of bytes that are texts.
        kinds: column -> what the source itself says it holds: "image", "audio" or "text" (paths or bytes of such
            files), "label", "id", "split".
        class_names: column -> the names that its numbers, or the numbers in its lists, stand for.
        blanks: words that stand for an empty cell.
        measured: columns of numbers and targets, in which such words count although they do not everywhere; see
            `reading`.
        empty: columns that the source lacks and that read as empty; see `with_empty`.
        notes: what was left out on opening, in words.

    Example:
        >>> from gnnfuse.data.tables import open_table
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
            raise TableError(f"table {self.name}: rows of a stream have no places; open it without streaming=True")
        return self.rows

    def __len__(self) -> int:
        return len(self.indexed)

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that are no columns, with the near ones suggested.

        Raises:
            TableError: a name is unknown.
        """
        for name in names:
            if name not in self.types:
                raise TableError(f"table {self.name}: {catalog.unknown('column', name, self.columns)}")

    def reading(self, columns: "Columns") -> "Table":
        """The same table for someone who knows which columns hold numbers and targets.

        Raises:
            TableError: a column is unknown; the message names near ones.
        """
        self.check(columns.used)
        return replace(self, measured=frozenset((*columns.features, *columns.target)))

    def with_empty(self, names: Iterable[str]) -> "Table":
        """The same table with further columns whose cells are all empty."""
        import pyarrow as pa

        new = tuple(names)
        types = {**self.types, **dict.fromkeys(new, pa.null())}
        return replace(self, types=types, empty=self.empty.union(new))

    def cells(self, number: int, names: Iterable[str]) -> Cells:
        """Some cells of the row with a number, from 0."""
        batch, place = self.indexed.place(range(len(self))[number])
        return self._cells(batch, place, names)

    def column(self, name: str) -> list[Cell]:
        """All cells of a column."""
        self.check([name])
        if name in self.empty:
            return [None] * len(self)
        read, cells = readers({name: self.types[name]}, self.texts)[name], []
        for chunk in self.indexed.column(name).chunks:
            cells += [self._clean(name, read(chunk, place)) for place in range(len(chunk))]
        return cells

    def each(self, names: Iterable[str]) -> Iterator[Cells]:
        """Some cells of every row, in order."""
        wanted = tuple(names)
        self.check(wanted)
        for batch in self.batches:
            for place in range(len(batch)):
                yield self._cells(batch, place, wanted)

    def look(self, count: int, names: Iterable[str]) -> list[tuple[int, Cells]]:
        """Up to `count` rows to learn from, with their numbers: drawn from all (always the same ones, in order; evenly
        spaced ones would see one class of a table that takes turns), of a stream the first."""
        wanted = tuple(names)
        if self.rows is None:
            return list(islice(enumerate(self.each(wanted)), count))
        numbers = np.arange(len(self))
        if len(self) > count:
            numbers = np.sort(np.random.default_rng(0).choice(len(self), count, replace=False))
        return [(number, self.cells(number, wanted)) for number in numbers.tolist()]

    def _cells(self, batch: "pa.RecordBatch", place: int, names: Iterable[str]) -> Cells:
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
    """The class names that a number or a list of numbers stands for; None where it stands for none, as -1 does."""
    if isinstance(cell, int):
        return names[cell] if 0 <= cell < len(names) else None
    return [_named(number, names) for number in cell.tolist()] if isinstance(cell, np.ndarray) else cell
