"""The rows of a table as samples, read one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.sample.sample import Sample
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.feature_rows import FeatureRow, FeatureRows
from gnnfuse.tables.row_signals import RowSignals
from gnnfuse.tables.stream_split import StreamSplit
from gnnfuse.tables.table import Cells, Table
from gnnfuse.tables.table_target import TableTarget

TOGETHER = 1 << 22  # number cells read at once


@dataclass(frozen=True, eq=False)
class TableStream(SampleStream):
    """The samples of a table, or of one of its splits, in row order.

    Every share reads the whole table but makes only its own samples. Numbers count the samples of the split from 0
    without gaps; a sample without an id is named by its row.

    Args:
        table: the table, streaming or not.
        columns: the columns' roles.
        target: how targets are read; None leaves them out.
        split: "train", "valid", "test", or None for all rows.
        rule: assigns rows to splits; needed if a split is named.

    Raises:
        TableError: a column is unknown.
        ValueError: a split without a rule.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"text": "a"}, {"text": "b"}, {"text": "c"}], streaming=True)
        >>> [(number, sample.id) for number, sample in TableStream(table, Columns(text=("text",))).share(0, 2)]
        [(0, 'row 1'), (2, 'row 3')]
    """

    table: Table
    columns: Columns
    target: TableTarget | None = None
    split: str | None = field(default=None, kw_only=True)
    rule: StreamSplit | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.table.reading(self.columns))
        if self.split is not None and self.rule is None:
            raise ValueError(f"split {self.split!r} of a stream needs a rule that assigns rows to splits")

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        """The samples whose number modulo `count` is `index`.

        Raises:
            ValueError: no share has that index.
            TableError: the table cannot be read, or names an unknown split.
        """
        if not 0 <= index < count:
            raise ValueError(f"found share {index} of {count}, expected 0 to {count - 1}")
        rows = RowSignals(self.columns, self.table.media, self.target)
        for number, (row, cells, features) in enumerate(self._wanted(rows)):
            if number % count == index:
                yield number, rows.sample(row, cells, features)

    def size(self) -> int | None:
        """The number of rows, if the table is indexed and all its rows are wanted."""
        return None if self.table.streaming or self.split is not None else len(self.table)

    def _wanted(self, rows: RowSignals) -> Iterator[tuple[int, Cells, FeatureRow | None]]:
        split = None if self.rule is None else self.split
        used = (
            rows.used if self.rule is None or split is None else tuple(dict.fromkeys([*rows.used, *self.rule.columns]))
        )
        for row, (cells, features) in enumerate(self._each(used)):
            if self.rule is None or split is None or self.rule.split_of(row, cells) == split:
                yield row, cells, features

    def _each(self, used: tuple[str, ...]) -> Iterator[tuple[Cells, FeatureRow | None]]:
        """The cells and numbers of each row; numbers are read for many rows at once."""
        names = self.columns.features
        together = max(1, TOGETHER // max(1, len(names)))
        for batch in self.table.batches:
            for begin in range(0, len(batch), together):
                some = batch.slice(begin, together)
                found = FeatureRows.read(self.table, self.table.columns_of(some, names), names) if names else None
                for place in range(len(some)):
                    cells = self.table.cells_in(some, place, used)
                    yield cells, None if found is None else found.row(place)
