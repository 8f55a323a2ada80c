"""CSV and TSV files, cell by cell as bytes: what a cell means is decided where it is used."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.data.tables.error import TableError
from gnnfuse.sample.files import shown

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 32 * 1024 * 1024  # bytes parsed at once: the longest row that can be read
HEADER = 1024 * 1024
OTHERS = (";", "\t", ",")


@dataclass(frozen=True)
class DelimitedFile:
    """A CSV or TSV file in UTF-8 with a header line, read block by block with Arrow's parser.

    Cells may hold quotes (doubled) and line breaks in quotes; a byte order mark is skipped. Each row must have as many
    cells as the header. All cells are bytes, so that neither a blank among numbers nor broken UTF-8 changes a column.

    Args:
        path: the file.
        delimiter: between cells.

    Raises:
        TableError: the header is missing, not UTF-8 or names a column twice.
    """

    path: Path
    delimiter: str = ","

    def names(self) -> tuple[str, ...]:
        """The columns; one without a name is called by its place, "column 1"."""
        return self._header[0]

    def other_delimiter(self) -> str | None:
        """What seems to stand between cells where this delimiter finds one column, and another finds as many in the
        first row as in the header; None where this one will do."""
        with self.path.open("rb") as file:
            text = file.read(HEADER).decode("utf-8", "surrogateescape")
        for other in OTHERS if len(self.names()) == 1 else ():
            rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=other) if row)
            widths = [len(row) for row in islice(rows, 2)]
            if widths[0] > 1 and len(set(widths)) == 1:
                return other
        return None

    @cached_property
    def _header(self) -> tuple[tuple[str, ...], int]:
        """The names, and how many blank lines stand before them."""
        with self.path.open("rb") as file:
            head = file.read(HEADER)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise TableError(f"table {shown(self.path)}: found UTF-16, expected UTF-8; save it anew as UTF-8")
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        rows = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        blank, header = next(((blank, row) for blank, row in rows if row), (0, []))
        if not header:
            raise TableError(f"table {shown(self.path)}: found no header line, expected the names of the columns")
        names = tuple(name.strip() or f"column {place}" for place, name in enumerate(header, 1))
        broken = [place for place, name in enumerate(names, 1) if re.search("[\ud800-\udfff]", name)]
        if broken:
            raise TableError(f"table {shown(self.path)}: the name of column {broken[0]} is not UTF-8")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TableError(f"table {shown(self.path)}: column {twice[0]!r} stands twice in the header")
        return names, blank

    def schema(self) -> "pa.Schema":
        """All columns as bytes."""
        import pyarrow as pa

        return pa.schema([(name, pa.binary()) for name in self.names()])

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        schema, ragged = self.schema(), []

        def note(row: Any) -> str:
            ragged.append(row)
            return "error"

        rows, last = 0, None
        try:
            for batch in self._reader(note):
                rows += len(batch)
                last = batch if len(batch) else last
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except pa.ArrowInvalid as error:
            raise self._broken(error, rows, ragged) from error
        if last is not None and self._unclosed(last):
            raise TableError(f"table {shown(self.path)}, row {rows}: a quote is opened and never closed")

    def _reader(self, note: Any) -> Any:
        import pyarrow as pa
        import pyarrow.csv as arrow_csv

        places = {f"f{place}": pa.binary() for place in range(len(self.names()))}
        options = arrow_csv.ParseOptions(
            delimiter=self.delimiter,
            newlines_in_values=True,
            ignore_empty_lines=len(places) > 1,  # where there is one column, an empty line is an empty cell
            invalid_row_handler=note,
        )
        return arrow_csv.open_csv(
            str(self.path),
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK,
                skip_rows=self._header[1],
                column_names=list(places),
                skip_rows_after_names=1,
            ),
            parse_options=options,
            convert_options=arrow_csv.ConvertOptions(check_utf8=False, column_types=places),
        )

    def _broken(self, error: Exception, rows: int, ragged: list[Any]) -> TableError:
        if not ragged:
            return TableError(f"table {shown(self.path)}, after row {rows}: {error}")
        row = ragged[0]
        where = f"row {row.number - 1 - self._header[1]}" if row.number is not None else f"after row {rows}"
        return TableError(
            f"table {shown(self.path)}, {where}: found {row.actual_columns} cells ({shown(row.text, 80)}), "
            f"expected {row.expected_columns} as in the header; is a cell with a {self.delimiter!r} not quoted?"
        )

    def _unclosed(self, last: "pa.RecordBatch") -> bool:
        """Whether the last row swallowed what follows a stray quote: it holds a line break, and quotes are odd."""
        cells = [column[len(last) - 1].as_py() for column in last.columns]
        if not any(cell and (b"\n" in cell or b"\r" in cell) for cell in cells):
            return False
        with self.path.open("rb") as file:
            return sum(block.count(b'"') for block in iter(lambda: file.read(1 << 20), b"")) % 2 == 1
