"""The rows of a table as samples, by split: for an indexed table or a stream."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse.reading import UsableSamples, UsableStream
from gnnfuse.tables import (
    Columns,
    Splits,
    StreamedSplits,
    Table,
    TableSamples,
    TableStream,
    TableTarget,
    split_rows,
    split_stream,
)
from gnnfuse.tables.split_keys import Fractions

Dropped = Mapping[int, tuple[str, ...]]  # row number, from 0 -> signals that cannot be read


class TableSplits(ABC):
    """The samples to train and measure on; stores row numbers, not samples.

    Attributes:
        splits: row numbers by split.
        samples: all rows, including those of no split.
        num_rows: number of rows.
    """

    splits: Splits
    samples: TableSamples | TableStream
    num_rows: int

    @abstractmethod
    def of(self, split: str, left_out: Int64[np.ndarray, "left_out"], dropped: Dropped) -> UsableSamples | UsableStream:
        """The samples of a split, without the rows left out and the dropped signals.

        Args:
            split: its name.
            left_out: row numbers, from 0 and ascending.
            dropped: signals by row.
        """

    def rows_of(self, split: str, left_out: Int64[np.ndarray, "left_out"]) -> Int64[np.ndarray, "rows"]:
        """The row numbers of the samples that `of` gives."""
        return np.setdiff1d(self.splits.named[split], left_out, assume_unique=True)


@dataclass(frozen=True, eq=False)
class IndexedSplits(TableSplits):
    """Splits of an indexed table."""

    splits: Splits
    samples: TableSamples
    num_rows: int

    def of(self, split: str, left_out: Int64[np.ndarray, "left_out"], dropped: Dropped) -> UsableSamples:
        """The samples of a split."""
        return UsableSamples(self.samples, self.rows_of(split, left_out), dropped)


@dataclass(frozen=True, eq=False)
class StreamSplits(TableSplits):
    """Splits of a stream, which is read again in every pass."""

    splits: Splits
    samples: TableStream
    num_rows: int
    found: StreamedSplits

    def of(self, split: str, left_out: Int64[np.ndarray, "left_out"], dropped: Dropped) -> UsableStream:
        """The samples of a split; rows left out and signals are mapped to numbers in the split."""
        rows = self.found.numbered[split]
        stream = TableStream(
            self.samples.table, self.samples.columns, self.samples.target, split=split, rule=self.found.rule
        )
        kept = self.rows_of(split, left_out)
        gone = np.flatnonzero(np.isin(rows, kept, assume_unique=True, invert=True))
        of_split = np.intersect1d(rows, np.fromiter(dropped, dtype=np.int64), assume_unique=True)
        numbers = np.searchsorted(rows, of_split).tolist()
        numbered = {number: dropped[row] for number, row in zip(numbers, of_split.tolist(), strict=True)}
        return UsableStream(stream, gone, numbered, len(kept))


def table_splits(
    table: Table,
    columns: Columns,
    target: TableTarget,
    *,
    fractions: Fractions,
    seed: int,
    leave_out: bool,
    advance: Callable[[], object],
) -> TableSplits:
    """Split a table: an indexed one by `split_rows`, a stream by `split_stream`; `advance` is called after its rows.

    Raises:
        TableError: as these functions raise it.
    """
    if not table.streaming:
        splits = split_rows(table, columns, target, fractions=fractions, seed=seed, leave_out=leave_out)
        return IndexedSplits(splits, TableSamples(table, columns, target), len(table))
    found = split_stream(table, columns, target, fractions=fractions, seed=seed, leave_out=leave_out, advance=advance)
    rows = sum(len(numbers) for numbers in found.numbered.values())
    return StreamSplits(found.splits, TableStream(table, columns, target), rows, found)
