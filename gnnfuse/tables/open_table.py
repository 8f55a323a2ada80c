"""Opens a table: chooses the reader for a source."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.data.overwriting import refuse_overwriting, refuse_writing_into
from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_cache import arrow_rows
from gnnfuse.tables.arrow_checks import Checked, check_values
from gnnfuse.tables.arrow_rows import ArrowRows, IndexedRows, schema_types
from gnnfuse.tables.blanks import Blanks
from gnnfuse.tables.class_folders import COLUMNS, read_class_folders
from gnnfuse.tables.delimited import DelimitedFile
from gnnfuse.tables.error import TableError
from gnnfuse.tables.features_metadata import class_names_in, kinds_in
from gnnfuse.tables.hub import load, rows_of
from gnnfuse.tables.json_lines import JsonLinesFile
from gnnfuse.tables.local_datasets import is_dataset_folder
from gnnfuse.tables.media_path import ADVICE, MediaFolder
from gnnfuse.tables.memory_rows import memory_rows
from gnnfuse.tables.parquet import ParquetFile
from gnnfuse.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
STREAM_LOOK = 1000  # rows of a JSON Lines stream from which its columns are inferred


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of `open_table`."""

    media: Path | None
    allow_outside: bool
    streaming: bool
    blanks: Blanks
    cache: Path | None

    def table(
        self, name: str, schema: "pa.Schema", folder: Path | None, rows: "Iterable[pa.RecordBatch]", **given: Any
    ) -> Table:
        """A table opened with these options; its rows have numbers unless it streams."""
        given = {"kinds": kinds_in(schema), **given}
        return Table(
            name=name,
            types=schema_types(schema),
            rows=rows if isinstance(rows, IndexedRows) and not self.streaming else None,
            batches=rows,
            media=MediaFolder(self.media or folder, self.allow_outside),
            blanks=self.blanks,
            class_names=class_names_in(schema),
            **given,
        )


def open_table(
    source: object,
    *,
    media: str | Path | None = None,
    allow_outside: bool = False,
    streaming: bool = False,
    blanks: Sequence[str] | Blanks | None = None,
    cache: str | Path | None = None,
) -> Table:
    """Open a table from a file, a folder, the Hugging Face hub or memory.

    Files: CSV (`.csv`), TSV (`.tsv`, `.tab`), JSON Lines (`.jsonl`, `.ndjson`, `.json`), Parquet (`.parquet`), Arrow
    (`.arrow`, `.feather`). Folders: class folders with pictures, recordings and texts; a folder that holds one table;
    the output of `datasets.Dataset.save_to_disk`; anything else that `datasets.load_dataset` reads. A name that is no
    file: a data set on the Hugging Face hub. Objects: a `datasets` data set (or several, as its splits), a list of
    mappings, a frame or table of pandas, pyarrow, polars, DuckDB or any library that exports columns to Arrow (see
    `memory_rows`). Code that comes with data is never run.

    An empty cell is a missing value. In columns of numbers and targets, so are "NA", "null" and the other words that
    `pandas.read_csv` treats as missing; in other columns they are texts unless `blanks` names them. A CSV file whose
    header holds no comma may be separated by semicolons or tabs, which `Table.notes` records.

    Small files are read into memory; large ones are converted to Arrow once and mapped from the cache. A stream needs
    neither and is read again in each pass.

    Args:
        source: the table.
        media: folder that paths in cells start from; the table's own folder by default.
        allow_outside: let such paths lead out of that folder, and file lists in a source folder lead out of it.
        streaming: read rows one after another, without an index.
        blanks: words that stand for an empty cell in all columns, replacing the default ones; an empty list for none.
        cache: folder for converted tables and downloads; by default `gnnfuse/tables` in the user's cache folder, and
            the library's own cache for data that `datasets` loads. Nothing else is written.

    Raises:
        TableError: there is no such table, or it cannot be read; the message names file, row and column.

    Example:
        >>> table = open_table([{"text": "a cat", "label": "cat"}])
        >>> table.columns
        ('text', 'label')
    """
    options = Options(
        media=None if media is None else Path(media),
        allow_outside=allow_outside,
        streaming=streaming,
        blanks=Blanks.of(blanks),
        cache=None if cache is None else Path(cache),
    )
    if options.media is not None and not options.media.is_dir():
        raise TableError(f"media folder {shown(options.media)}: found no folder there")
    if not isinstance(source, str | Path):
        return _from_object(source, options)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, options)
    if path.is_file():
        return _from_file(path, options)
    if isinstance(source, str) and HUB_ID.fullmatch(source) and path.suffix.lower() not in READERS:
        return _from_loaded(_load(source, options), source, None, options)
    what = "nothing" if not os.path.lexists(path) else "a pipe or device" if path.exists() else "a link to nothing"
    raise TableError(f"table {shown(path)}: found {what} there, expected a file or a folder")


def _from_file(path: Path, options: Options) -> Table:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        found = repr(suffix) if suffix else "no ending"
        raise TableError(f"table {shown(path)}: found {found}, expected one of {', '.join(READERS)}")
    if path.stat().st_size == 0:
        raise TableError(f"table {shown(path)}: found an empty file")
    import pyarrow as pa

    try:
        return READERS[suffix](path, options)
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"table {shown(path)}: found no readable {suffix[1:]} file ({error})") from error


def _delimited(path: Path, options: Options, delimiter: str) -> Table:
    file = DelimitedFile(path, delimiter)
    other = file.other_delimiter()
    file = file if other is None else DelimitedFile(path, other)
    notes = () if other is None else (f"table {shown(path)}: its cells are separated by {other!r}",)
    texts, reading = frozenset(file.names()), repr(file.delimiter)
    return _converted(path, file, file.schema(), options, texts=texts, reading=reading, notes=notes)


def _json_lines(path: Path, options: Options) -> Table:
    file = JsonLinesFile(path, STREAM_LOOK if options.streaming else None)
    return _converted(path, file, file.schema(), options, texts=file.texts(), notes=file.notes())


def _parquet(path: Path, options: Options) -> Table:
    file = ParquetFile(path)
    return _converted(path, file, file.schema(), options)


def _arrow(path: Path, options: Options) -> Table:
    rows = ArrowRows(path)
    if not options.streaming:
        check_values(rows.table, shown(path))
    checked = Checked(rows, shown(path)) if options.streaming else rows
    return options.table(shown(path), rows.table.schema, path.parent, checked)


def _converted(
    path: Path,
    batches: "Iterable[pa.RecordBatch]",
    schema: "pa.Schema",
    options: Options,
    *,
    texts: frozenset[str] = frozenset(),
    reading: str = "",
    notes: tuple[str, ...] = (),
) -> Table:
    reading = f"{type(batches).__name__} {reading}"
    rows = batches if options.streaming else arrow_rows(path, batches, schema, reading=reading, cache=options.cache)
    return options.table(shown(path), schema, path.parent, rows, texts=texts, notes=notes)


READERS: Mapping[str, Callable[[Path, Options], Table]] = {
    ".csv": lambda path, options: _delimited(path, options, ","),
    ".tsv": lambda path, options: _delimited(path, options, "\t"),
    ".tab": lambda path, options: _delimited(path, options, "\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
}


def _load(source: str | Path, options: Options) -> object:
    return load(source, options.cache, streaming=options.streaming, allow_outside=options.allow_outside)


def _from_folder(folder: Path, options: Options) -> Table:
    tables = _tables_in(folder)
    if is_dataset_folder(folder) or len(tables) > 1:
        return _from_loaded(_load(folder, options), shown(folder), folder, options)
    if tables:
        if not options.allow_outside and not tables[0].resolve().is_relative_to(folder.resolve()):
            raise TableError(f"table {shown(tables[0])}: found a link that leads out of the folder{ADVICE}")
        return _from_file(tables[0], options)
    found, notes = read_class_folders(folder)
    rows = ArrowRows(found)
    named = {"id": "id", "label": "label", "split": "split"} | {name: name for name in COLUMNS}
    return options.table(
        shown(folder),
        found.schema,
        folder,
        rows,
        texts=frozenset(found.column_names),
        kinds={name: named[name] for name in found.column_names},
        notes=notes,
    )


def _tables_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in READERS)


def refuse_overwriting_table(source: object, written: Sequence[Path]) -> None:
    """Refuse to overwrite a table, or to write into a folder that is read as one; called before the table is opened.

    Only the top level of a folder that holds one table is read, so its subfolders may be written to.

    Args:
        source: as for `open_table`.
        written: paths that may be created, replaced or removed.

    Raises:
        ValueError: names the path and the table.
    """
    if not isinstance(source, str | os.PathLike) or not os.path.exists(source):
        return
    path = Path(source)
    alone = path.is_dir() and not is_dataset_folder(path) and len(_tables_in(path)) == 1
    if path.is_dir():
        refuse_writing_into("the table's folder", path, written, deep=not alone)
    refuse_overwriting({"the table": _tables_in(path) if alone else [path] if path.is_file() else []}, written)


def _from_object(source: object, options: Options) -> Table:
    found = memory_rows(source)
    if found is not None:
        given = {"texts": found.texts, "kinds": {**kinds_in(found.table.schema), **found.kinds}}
        return options.table("in memory", found.table.schema, None, ArrowRows(found.table), **given)
    if type(source).__module__.startswith("datasets"):
        return _from_loaded(source, "in memory", None, options)
    raise TableError(f"table: found a {type(source).__name__}, expected a path, a data set, a data frame or rows")


def _from_loaded(loaded: object, name: str, folder: Path | None, options: Options) -> Table:
    rows, schema = rows_of(loaded)
    if not options.streaming and not isinstance(rows, IndexedRows):
        raise TableError(f"table {name}: found a data set that streams, expected streaming=True or one that is indexed")
    return options.table(name, schema, folder, rows)
