"""Rows accessed by number: an Arrow table in memory, or mapped from a file."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_checks import checked_schema
from gnnfuse.tables.arrow_numpy import arrow_integers

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 16 * 1024 * 1024  # bytes; files up to this size are read into memory without a cache
Place = tuple["pa.RecordBatch", int]


class IndexedRows(ABC):
    """Rows by number; can be pickled, cheaply if the rows are in a file."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def place(self, number: int) -> Place:
        """The batch that a row lies in, and its place in the batch."""

    @abstractmethod
    def columns(self, names: Sequence[str]) -> "pa.Table":
        """Some columns, whole."""

    @abstractmethod
    def take(self, numbers: Int64[np.ndarray, "rows"], names: Sequence[str]) -> "pa.Table":
        """Some columns of the rows with these ascending numbers."""

    @abstractmethod
    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        """All rows in order, as batches."""


class ArrowRows(IndexedRows):
    """An Arrow table in memory, or one that is mapped from an Arrow file (of either kind) and never loaded.

    Args:
        source: the table, or the file; a file is pickled as its path.

    Raises:
        pyarrow.ArrowInvalid: no Arrow file.
    """

    def __init__(self, source: "pa.Table | Path") -> None:
        self.source = source

    def __getstate__(self) -> dict[str, object]:
        return {"source": self.source}

    @cached_property
    def table(self) -> "pa.Table":
        """All rows; of a mapped file, only the pages that are read are loaded into memory."""
        return map_arrow(self.source) if isinstance(self.source, Path) else self.source

    @cached_property
    def _batches(self) -> "tuple[list[pa.RecordBatch], list[int]]":
        found = [batch for batch in self.table.to_batches() if len(batch)]
        return found, list(accumulate(map(len, found), initial=0))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def place(self, number: int) -> Place:
        """The batch that a row lies in, and its place in the batch."""
        found, starts = self._batches
        which = bisect_right(starts, number) - 1
        return found[which], number - starts[which]

    def columns(self, names: Sequence[str]) -> "pa.Table":
        """Some columns, whole."""
        return self.table.select(names)

    def take(self, numbers: Int64[np.ndarray, "rows"], names: Sequence[str]) -> "pa.Table":
        """Some columns of the rows with these numbers, batch by batch: Arrow would first join a column's batches."""
        import pyarrow as pa

        found, starts = self._batches
        cuts = np.searchsorted(numbers, starts)
        parts = [
            batch.select(names).take(arrow_integers(numbers[begin:end] - start))
            for batch, start, (begin, end) in zip(found, starts, pairwise(cuts), strict=False)
            if end > begin
        ]
        return pa.Table.from_batches(parts) if parts else self.table.select(names).slice(0, 0)

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        yield from self._batches[0]


class DatasetRows(IndexedRows):
    """The rows of a `datasets.Dataset`, selected and shuffled ones too; media are left as they are stored.

    Args:
        dataset: the data set.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset.with_format("arrow")

    def __len__(self) -> int:
        return len(self.dataset)

    def place(self, number: int) -> Place:
        """The batch that a row lies in, and its place in the batch."""
        return self.dataset[number].to_batches()[0], 0

    def columns(self, names: Sequence[str]) -> "pa.Table":
        """Some columns, whole."""
        return self.dataset.select_columns(list(names))[:].select(names)

    def take(self, numbers: Int64[np.ndarray, "rows"], names: Sequence[str]) -> "pa.Table":
        """Some columns of the rows with these numbers."""
        return self.dataset.select_columns(list(names))[numbers.tolist()].select(names)

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        for part in self.dataset.iter(batch_size=1000):
            yield from part.to_batches()


def map_arrow(path: Path) -> "pa.Table":
    """The table in an Arrow file, mapped: the file format, or the stream format that Hugging Face datasets writes.

    A small one is read into memory. Truncating a mapped file kills a process that reads the missing bytes (SIGBUS);
    replacing it by a rename, or removing it, is harmless.

    Raises:
        TableError: two columns of one name.
        pyarrow.ArrowInvalid: no Arrow file.
    """
    import pyarrow as pa

    small = path.stat().st_size <= IN_MEMORY
    mapped = pa.BufferReader(path.read_bytes()) if small else pa.memory_map(str(path))
    with_end = mapped.read(6) == b"ARROW1"
    mapped.seek(0)
    found = (pa.ipc.open_file(mapped) if with_end else pa.ipc.open_stream(mapped)).read_all()
    return found.rename_columns(list(checked_schema(found.schema, shown(path)).names))


def schema_types(schema: "pa.Schema") -> "Mapping[str, pa.DataType]":
    """Column -> type; a dictionary-encoded column has the type of its values, an extension type that of its storage."""
    return {field.name: getattr(field.type, "storage_type", field.type) for field in schema}
