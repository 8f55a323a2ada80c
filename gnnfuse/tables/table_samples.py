"""The rows of a table as samples, made on access."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from jaxtyping import Int64

from gnnfuse.sample.sample import Sample
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.feature_rows import FeatureRow, FeatureRows
from gnnfuse.tables.row_signals import RowSignals, row_name
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import TableTarget

IN_MEMORY = 1 << 30  # bytes of a table's numbers to keep


class TableSamples(Sequence[Sample]):
    """A sequence of samples over the rows of a table; keeps no sample and opens no file.

    Can be pickled: the other process reopens a table that is in a file. A sample costs as much as reading its row,
    wherever that is. Columns of numbers up to 1 GiB are read once, as a whole, and kept (and pickled) in float64;
    larger ones are read row by row. Nothing else grows with the number of rows.

    Args:
        table: the table.
        columns: the columns' roles.
        target: how targets are read (see `target_kind`); None leaves them out, as for prediction.
        numbers: the rows to take, counted from 0; None takes all.

    Raises:
        TableError: a column is unknown, or the table is read as a stream.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"text": "a cat"}, {"text": None}])
        >>> samples = TableSamples(table, Columns(text=("text",)))
        >>> samples[0].id, dict(samples[0].signals), dict(samples[1].signals)
        ('row 1', {'text': 'a cat'}, {})
    """

    def __init__(
        self,
        table: Table,
        columns: Columns,
        target: TableTarget | None = None,
        *,
        numbers: Int64[np.ndarray, "samples"] | None = None,
    ) -> None:
        self.table = table.reading(columns)
        self.columns = columns
        self.target = target
        self.numbers = numbers
        len(table)  # refuses a stream

    @cached_property
    def _rows(self) -> RowSignals:
        return RowSignals(self.columns, self.table.media, self.target)

    @cached_property
    def _used(self) -> tuple[str, ...]:
        return self._rows.used

    def __len__(self) -> int:
        return len(self.table) if self.numbers is None else len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "TableSamples": ...
    def __getitem__(self, index: int | slice) -> "Sample | TableSamples":
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        number = self.number(index)
        return self._rows.sample(number, self.table.cells(number, self._used), self._features(number))

    def _features(self, number: int) -> FeatureRow | None:
        names = self.columns.features
        if not names:
            return None
        if self._kept is None:
            return FeatureRow.of_cells(self.table.cells(number, names), names)
        return self._kept.row(number)

    @cached_property
    def _kept(self) -> FeatureRows | None:
        """The numbers of all rows, if they take at most `IN_MEMORY` bytes."""
        names = self.columns.features
        if 8 * len(self.table) * len(names) > IN_MEMORY:
            return None
        return FeatureRows.read(self.table, self.table.whole(names), names)

    def number(self, index: int) -> int:
        """The number of a sample's row in the table, from 0."""
        place = range(len(self))[index]
        return place if self.numbers is None else int(self.numbers[place])

    def select(self, places: Iterable[int]) -> "TableSamples":
        """The samples at some positions, in that order."""
        chosen = np.fromiter(places, dtype=np.int64)
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        selected = TableSamples(self.table, self.columns, self.target, numbers=numbers)
        if "_kept" in self.__dict__:
            selected.__dict__["_kept"] = self._kept
        return selected

    def ids(self) -> tuple[str, ...]:
        """All ids, without making samples."""
        numbers = range(len(self.table)) if self.numbers is None else self.numbers.tolist()
        if self.columns.id is None:
            return tuple(f"row {number + 1}" for number in numbers)
        cells = self.table.column(self.columns.id)
        return tuple(row_name(number, cells[number]) for number in numbers)
