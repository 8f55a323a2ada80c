"""Large tables of other formats are written to Arrow files once, and mapped from there."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.sample.files import shown
from gnnfuse.sample.whole_file import remove_unfinished, replacing
from gnnfuse.tables.arrow_rows import IN_MEMORY, ArrowRows
from gnnfuse.tables.error import TableError

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1  # version of the written files; a new one rebuilds all entries


def default_cache() -> Path:
    """The default folder for Arrow files: `gnnfuse/tables` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gnnfuse" / "tables"


def arrow_rows(
    path: Path, batches: "Iterable[pa.RecordBatch]", schema: "pa.Schema", *, reading: str, cache: Path | None
) -> ArrowRows:
    """The rows of a file: in memory where the file is small, else mapped from the cache.

    An entry's name is derived from the file's content and from how it was read, so it is never stale; it is written
    under a temporary name and renamed, so it is never partial.

    Args:
        path: the file.
        batches: its rows; read only on a cache miss.
        schema: of the batches.
        reading: everything besides the file's content that determines the rows.
        cache: folder for Arrow files; None takes `default_cache()`.

    Raises:
        TableError: the folder cannot be written to.
    """
    import pyarrow as pa

    if path.stat().st_size <= IN_MEMORY:
        return ArrowRows(pa.Table.from_batches(list(batches), schema))
    folder = default_cache() if cache is None else cache
    entry = folder / f"{_digest(path, f'{VERSION} {reading} {schema}')}.arrow"
    if not entry.is_file():
        _write(path, entry, batches, schema)
    return ArrowRows(entry)


def _digest(path: Path, reading: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(reading.encode("utf-8", "surrogateescape"))
    return content.hexdigest()


@contextmanager
def _writing_into(folder: Path, table: Path) -> Iterator[None]:
    """Make an error name the folder and make clear that the table is not at fault."""
    try:
        yield
    except OSError as error:
        raise TableError(
            f"table {shown(table)}: large tables are converted once, but the folder for the converted files, "
            f"{shown(folder)}, cannot be written to ({error.strerror or error}); name another folder "
            "(XDG_CACHE_HOME, or cache= of open_table), or read the table as a stream"
        ) from error


def _write(table: Path, entry: Path, batches: "Iterable[pa.RecordBatch]", schema: "pa.Schema") -> None:
    import pyarrow as pa

    remove_unfinished(entry.parent)
    with ExitStack() as stack:  # an error from reading a batch does not concern the folder
        with _writing_into(entry.parent, table):
            partial = stack.enter_context(replacing(entry))
            partial.chmod(0o600)  # a table may be private
            writer = stack.enter_context(pa.ipc.new_stream(stack.enter_context(partial.open("wb")), schema))
        for batch in batches:
            with _writing_into(entry.parent, table):
                writer.write_batch(batch)
        with _writing_into(entry.parent, table):
            stack.close()
