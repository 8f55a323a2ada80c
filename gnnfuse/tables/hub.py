"""Sources that Hugging Face datasets reads: its own folders, folders of data files, data sets on the hub."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.tables.arrow_checks import check_values, checked_schema, column_names
from gnnfuse.tables.arrow_rows import DatasetRows, IndexedRows
from gnnfuse.tables.error import TableError
from gnnfuse.tables.local_datasets import load_folder

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000


def load(source: str | Path, cache: Path | None, *, streaming: bool, allow_outside: bool) -> object:
    """The data set in a folder (a path) or on the hub (a text), with its splits if it has any.

    Raises:
        TableError: it cannot be loaded; the message gives the reason.
    """
    import datasets

    try:
        if isinstance(source, Path):
            return load_folder(source, cache, streaming=streaming, allow_outside=allow_outside)
        return datasets.load_dataset(source, cache_dir=None if cache is None else str(cache), streaming=streaming)
    except TableError:
        raise
    except Exception as error:  # the network, the hub or a builder may raise anything
        what = "" if isinstance(source, Path) else "found no file or folder of that name, and "
        raise TableError(
            f"table {str(source)!r}: {what}datasets cannot load it: {type(error).__name__}: {error}"
        ) from error


def rows_of(loaded: Any) -> "tuple[IndexedRows | Stream, pa.Schema]":
    """The rows of a data set; if it has several splits, a column `split` holds their names.

    Returns:
        The rows, by number unless the data set streams, and the schema.

    Raises:
        TableError: not a data set, or it has both splits and a column `split`.
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
        return stream, stream.schema()
    parts = {name: _renamed(part) for name, part in parts.items()}
    whole = [part.add_column("split", [name] * len(part)) if named else part for name, part in parts.items()]
    rows = DatasetRows(datasets.concatenate_datasets(whole) if named else whole[0])
    return rows, rows.dataset.features.arrow_schema


def _renamed(part: Any) -> Any:
    names = column_names(part.column_names, "of datasets")
    renamed = {old: new for old, new in zip(part.column_names, names, strict=True) if old != new}
    return part.rename_columns(renamed) if renamed else part


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
        """The columns' types as the data set declares them, else as its first rows show them.

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
        schema = checked_schema(part.features.arrow_schema, "of datasets")
        return schema.append(pa.field("split", pa.string())) if self.named else schema

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        count = 0
        for name, part in self.parts.items():
            batches = iter(part.with_format("arrow").iter(batch_size=ROWS))
            while (rows := self._next(batches, count)) is not None:
                count += len(rows)
                check_values(rows, "of datasets")
                found = rows.rename_columns(list(column_names(rows.column_names, "of datasets")))
                found = found.append_column("split", pa.array([name] * len(rows))) if self.named else found
                yield from found.combine_chunks().to_batches()

    def _next(self, batches: "Iterator[pa.Table]", count: int) -> "pa.Table | None":
        try:
            return next(batches, None)
        except Exception as error:  # the network, a builder or a user's function may raise anything
            raise TableError(f"table of datasets, after row {count}: {type(error).__name__}: {error}") from error
