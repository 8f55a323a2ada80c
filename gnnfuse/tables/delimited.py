"""CSV and TSV files, whose cells stay bytes until they are used."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_checks import column_names
from gnnfuse.tables.error import TableError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 32 * 1024 * 1024  # bytes parsed at once: the longest row that can be read
HEADER = 1024 * 1024
OTHERS = (";", "\t", ",")
EXCEL = re.compile(r'"?sep=(.)"?[\r\n]')


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
        """The column names; one without a name is named by its position, "column 1"."""
        return self._header[0]

    def other_delimiter(self) -> str | None:
        """The delimiter that the file seems to use instead: the one named by Excel's first line (`sep=;`); or, if this
        one finds a single column, another that splits header and first row into equally many cells. Otherwise None."""
        if self._start[1]:
            return self._start[1] if self._start[1] != self.delimiter else None
        for other in OTHERS if len(self.names()) == 1 else ():
            with suppress(TableError):  # a text too long for the csv module
                widths = [len(row) for _, row in islice(self._filled(other), 2)]
                if widths[0] > 1 and len(set(widths)) == 1:
                    return other
        return None

    @cached_property
    def _start(self) -> tuple[str, str]:
        """The beginning of the file, at least the whole header, and the delimiter in Excel's first line, or ""."""
        with self.path.open("rb") as file:
            head = file.read(HEADER)
            while len(head) < BLOCK and not re.search(rb"[\r\n][^\r\n]", head) and (more := file.read(HEADER)):
                head += more
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise TableError(f"table {shown(self.path)}: found UTF-16, expected UTF-8; save it as UTF-8")
        if b"\0" in head.split(b"\n", 1)[0]:
            raise TableError(
                f"table {shown(self.path)}: found NUL bytes in the header, expected UTF-8; save it as UTF-8"
            )
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        named = EXCEL.match(text)
        return text, named[1] if named else ""

    def _filled(self, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        """The first rows, each with the number of lines before it; blank lines and Excel's own are left out."""
        text, named = self._start
        rows = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        try:
            for line, row in rows:
                if row and not (line == 0 and named):
                    yield line, row
        except csv.Error as error:
            raise TableError(f"table {shown(self.path)}: found no readable header or first row ({error})") from error

    @cached_property
    def _header(self) -> tuple[tuple[str, ...], int]:
        """The names, and the number of lines before them."""
        blank, header = next(self._filled(self.delimiter), (0, []))
        if not header:
            raise TableError(f"table {shown(self.path)}: found no header line, expected the names of the columns")
        return column_names([name.strip() for name in header], shown(self.path)), blank

    def schema(self) -> "pa.Schema":
        """All columns as bytes."""
        import pyarrow as pa

        return pa.schema([(name, pa.binary()) for name in self.names()])

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        schema, ragged = self.schema(), []
        lines = self._header[1] + 1
        if len(re.split(r"\r\n|\r|\n", self._start[0], maxsplit=lines)) == lines:
            if self._start[0].count('"') % 2:
                raise TableError(f"table {shown(self.path)}: a quote is opened in the header and never closed")
            return  # a header only, which Arrow cannot read without a line end

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
            ignore_empty_lines=len(places) > 1,  # in a file of one column, an empty line is an empty cell
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
            size = min(self.path.stat().st_size, BLOCK)
            endless = "straddl" in str(error)  # Arrow's error for a row that does not end within a block
            what = f"no row ends within {size:,} bytes; is a quote opened and never closed?" if endless else error
            return TableError(f"table {shown(self.path)}, after row {rows}: {what}")
        row = ragged[0]
        where = f"row {row.number - 1 - self._header[1]}" if row.number is not None else f"after row {rows}"
        return TableError(
            f"table {shown(self.path)}, {where}: found {row.actual_columns} cells ({shown(row.text, 80)}), "
            f"expected {row.expected_columns} as in the header; is a cell with a {self.delimiter!r} not quoted?"
        )

    def _unclosed(self, last: "pa.RecordBatch") -> bool:
        """Whether a stray quote made the last row swallow the next lines: a line break and an odd number of quotes."""
        cells = [column[len(last) - 1].as_py() for column in last.columns]
        if not any(cell and (b"\n" in cell or b"\r" in cell) for cell in cells):
            return False
        with self.path.open("rb") as file:
            return sum(block.count(b'"') for block in iter(lambda: file.read(1 << 20), b"")) % 2 == 1
