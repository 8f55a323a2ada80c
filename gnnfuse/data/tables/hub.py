"""What Hugging Face datasets reads: its own folders, folders of data files, data sets of the hub."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.data.tables.arrow_rows import DatasetRows, IndexedRows
from gnnfuse.data.tables.error import TableError

if TYPE_CHECKING:
    import pyarrow as pa

SAVED = ("dataset_dict.json", "state.json")
ROWS = 1000


def is_dataset_folder(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return any((folder / name).is_file() for name in SAVED)


def load(source: str | Path, cache: Path | None, *, streaming: bool) -> object:
    """The data set in a folder or on the hub; its splits together, if it has some.

    Raises:
        TableError: it cannot be had; the message says why.
    """
    import datasets

    try:
        if isinstance(source, Path) and is_dataset_folder(source):
            return datasets.load_from_disk(str(source))
        where = None if cache is None else str(cache)
        return datasets.load_dataset(str(source), cache_dir=where, streaming=streaming)
    except Exception as error:  # whatever the network, the hub or a builder raises
        raise TableError(
            f"table {str(source)!r}: found no file or folder of that name, and datasets cannot load it: "
            f"{type(error).__name__}: {error}"
        ) from error


def rows_of(loaded: Any) -> "tuple[IndexedRows | None, Stream | Indexed, pa.Schema]":
    """The rows of a data set, of one with several splits with their names in a column `split`.

    Returns:
        The rows by number (None for a stream), the rows in order, and the schema.

    Raises:
        TableError: not a data set, or splits beside a column of that name.
    """
    import datasets

    parts: Mapping[str, Any] = loaded if isinstance(loaded, Mapping) else {"": loaded}
    named = len(parts) > 1
    if named and any("split" in (part.column_names or ()) for part in parts.values()):
        raise TableError("table: found several splits and a column 'split' in them; open one split")
    if not parts or not all(isinstance(part, datasets.Dataset | datasets.IterableDataset) for part in parts.values()):
        raise TableError(f"table: found a {type(loaded).__name__}, expected a data set with rows")
    if any(isinstance(part, datasets.IterableDataset) for part in parts.values()):
        stream = Stream(dict(parts), named)
        return None, stream, stream.schema()
    whole = [part.add_column("split", [name] * len(part)) if named else part for name, part in parts.items()]
    rows = DatasetRows(datasets.concatenate_datasets(whole) if named else whole[0])
    return rows, Indexed(rows), rows.dataset.features.arrow_schema


@dataclass(frozen=True)
class Indexed:
    """The batches of rows that can be had by number; begins anew in every pass."""

    rows: IndexedRows

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        return self.rows.batches()


@dataclass(frozen=True, eq=False)
class Stream:
    """The rows of streams, one after the other.

    Args:
        parts: split name -> `datasets.IterableDataset`.
        named: whether the split's name becomes a column.
    """

    parts: Mapping[str, Any]
    named: bool

    def schema(self) -> "pa.Schema":
        """The columns' types: as the data set says, else as its first rows have them.

        Raises:
            TableError: no rows.
        """
        import pyarrow as pa

        part = next(iter(self.parts.values()))
        if part.features is None:
            first = next(iter(self), None)
            if first is None:
                raise TableError("table: found a stream without rows")
            return first.schema
        schema = part.features.arrow_schema
        return schema.append(pa.field("split", pa.string())) if self.named else schema

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for name, part in self.parts.items():
            for rows in part.with_format("arrow").iter(batch_size=ROWS):
                found = rows.append_column("split", pa.array([name] * len(rows))) if self.named else rows
                yield from found.combine_chunks().to_batches()
