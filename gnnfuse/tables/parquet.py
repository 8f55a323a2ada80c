"""Parquet files, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_checks import checked_schema
from gnnfuse.tables.error import TableError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000  # rows per batch: rows may hold media


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file; rows are read in batches, never all at once.

    Args:
        path: the file.
    """

    path: Path

    def schema(self) -> "pa.Schema":
        """The columns' types, with the writer's metadata.

        Raises:
            TableError: two columns of one name.
        """
        import pyarrow.parquet as parquet

        return checked_schema(parquet.read_schema(self.path), shown(self.path))

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa
        import pyarrow.parquet as parquet

        rows, schema = 0, self.schema()
        try:
            with parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(batch_size=ROWS):
                    rows += len(batch)
                    yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"table {shown(self.path)}, after row {rows}: {error}") from error
