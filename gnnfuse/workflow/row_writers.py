"""Writing answers to a file, row by row and atomically: CSV, JSON Lines or Parquet."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.sample.whole_file import replacing

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATOR = "|"
ROWS_AT_ONCE = 4096


class RowWriter(ABC):
    """Writes rows that all have the same columns.

    Args:
        path: the file to write.
        schema: the columns and their Arrow types.

    Attributes:
        formula: the first text that a spreadsheet program would run on opening the file; None if there is none.
    """

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        self.path, self.schema = path, schema
        self.formula: str | None = None

    @abstractmethod
    def write(self, row: Mapping[str, object]) -> None:
        """Write one row."""

    @abstractmethod
    def close(self) -> None:
        """Called after the last row."""


class CsvRows(RowWriter):
    """Comma-separated values in UTF-8, the columns as header; tuples are joined by "|", lists are JSON.

    Texts are written unchanged, even those that spreadsheet programs take for formulas ("=1+1"): a class must survive a
    round trip, and any escape that keeps such a program from running it would change it.
    """

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        super().__init__(path, schema)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, schema.names)
        self._writer.writeheader()

    def write(self, row: Mapping[str, object]) -> None:
        """Write one line."""
        cells = {name: _cell(value) for name, value in row.items()}
        if self.formula is None:
            self.formula = next((cell for cell in cells.values() if isinstance(cell, str) and is_formula(cell)), None)
        self._writer.writerow(cells)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class JsonRows(RowWriter):
    """A JSON object per line."""

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        super().__init__(path, schema)
        self._file = path.open("w", encoding="utf-8")

    def write(self, row: Mapping[str, object]) -> None:
        """Write one line."""
        self._file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetRows(RowWriter):
    """Parquet, in row groups of some thousand rows."""

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        import pyarrow.parquet as pq

        super().__init__(path, schema)
        self._rows: list[Mapping[str, object]] = []
        self._writer = pq.ParquetWriter(path, schema)

    def write(self, row: Mapping[str, object]) -> None:
        """Add one row, which is written together with others."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write the remaining rows."""
        try:
            if self._rows:
                self._flush()
        except BaseException:
            with suppress(Exception):  # after a failed write it fails again, with a less specific error
                self._writer.close()
            raise
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self.schema))
        self._rows = []


WRITERS: Mapping[str, type[RowWriter]] = {
    ".csv": CsvRows,
    ".jsonl": JsonRows,
    ".ndjson": JsonRows,
    ".parquet": ParquetRows,
}


def is_formula(text: str) -> bool:
    """Whether a spreadsheet program runs a text instead of showing it.

    Example:
        >>> [is_formula(text) for text in ("=1+1", "@SUM(A1)", "-1.5", "cat")]
        [True, True, False, False]
    """
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def check_ending(path: Path, known: Mapping[str, object]) -> None:
    """Refuse a file with an unknown ending.

    Raises:
        ValueError: names the known endings.
    """
    if path.suffix.lower() not in known:
        raise ValueError(f"{path}: found ending {path.suffix!r}, expected one of {', '.join(known)}")


@contextmanager
def writing(path: Path, schema: "pa.Schema") -> "Iterator[RowWriter]":
    """A writer whose file appears when all rows are written; otherwise there is no file.

    A file without rows still has its columns, where its format can hold them.

    Raises:
        ValueError: an unknown ending.
    """
    check_ending(path, WRITERS)
    with replacing(path) as partial:
        writer = WRITERS[path.suffix.lower()](partial, schema)
        try:
            yield writer
        except BaseException:
            with suppress(Exception):
                writer.close()
            raise
        writer.close()


def _cell(value: object) -> object:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return SEPARATOR.join(str(item) for item in value)
    return repr(value) if isinstance(value, float) else value


def _plain(value: object) -> object:
    return list(value) if hasattr(value, "__iter__") else str(value)
