"""JSON Lines files: one object per row; and JSON files that are one list or one object."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_checks import column_names, repeated
from gnnfuse.tables.error import TableError
from gnnfuse.tables.json_shapes import WRITE, rows_in
from gnnfuse.tables.row_mappings import MOST_NESTED, RowKeys, as_text, too_deep

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000  # rows per Arrow batch
CELLS = 1_000_000  # in a batch, about

Row = dict[str, object]


@dataclass(frozen=True)
class JsonLinesFile:
    """A file with one JSON object per line, in UTF-8; or one array of objects, or one object (see `rows_in`).

    Columns are the keys in the order of their first appearance; a key that a row lacks is an empty cell. Whole numbers
    and fractions make a column of numbers. A column of several kinds of values, or of text that is not UTF-8, becomes
    texts kept as bytes (numbers and lists as JSON writes them).

    Args:
        path: the file.
        look: rows from which the columns are inferred; None for all.
    """

    path: Path
    look: int | None = None
    _learnt: "dict[str, pa.DataType]" = field(default_factory=dict, init=False, repr=False, compare=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def schema(self) -> "pa.Schema":
        """The columns' types; mixed columns are bytes.

        Raises:
            TableError: a line that is no JSON object, keys that are no columns.
        """
        import pyarrow as pa

        if not self._learnt:
            self._learn()
        names = column_names(list(self._learnt), shown(self.path))
        return pa.schema(list(zip(names, self._learnt.values(), strict=True)))

    def texts(self) -> frozenset[str]:
        """Columns of texts that are kept as bytes."""
        import pyarrow as pa

        return frozenset(entry.name for entry in self.schema() if entry.type == pa.binary())

    def notes(self) -> tuple[str, ...]:
        """The layout of the rows in the file, if unusual; known once the columns are."""
        return tuple(dict.fromkeys(self._notes))

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        schema, rows = self.schema(), 0
        for chunk in _chunks(self._objects()):
            for row, found in enumerate(chunk, rows + 1):
                new = found.keys() - self._learnt.keys()
                if new:
                    raise TableError(
                        f"table {shown(self.path)}, row {row}: found column {min(new)!r}, which none of the first "
                        f"{self.look} rows has; open the table without streaming"
                    )
            cells = _by_key(chunk)
            columns = [
                self._column(cells[key], entry, rows) if key in cells else pa.nulls(len(chunk), entry.type)
                for key, entry in zip(self._learnt, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            rows += len(chunk)

    def _learn(self) -> None:
        import pyarrow as pa

        found: dict[str, pa.DataType] = {}
        keys = RowKeys(shown(self.path))
        for chunk in _chunks(islice(self._objects(), self.look)):
            for row in chunk:
                keys.add(row)
            for name, cells in _by_key(chunk).items():
                found[name] = _common(found.get(name, pa.null()), _type_of(cells))
        if not found:
            raise TableError(f"table {shown(self.path)}: found no rows, expected a JSON object per line")
        self._learnt.update({name: pa.string() if kind == pa.null() else kind for name, kind in found.items()})

    def _column(self, cells: list[object], entry: "pa.Field", rows: int) -> "pa.Array":
        import pyarrow as pa

        try:
            return pa.array(map(as_text, cells) if entry.type == pa.binary() else cells, entry.type)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise TableError(
                f"table {shown(self.path)}, rows {rows + 1} to {rows + len(cells)}, column {entry.name!r}: {error}"
            ) from error

    def _objects(self) -> Iterator[Row]:
        with self.path.open("rb") as file:
            start = file.read(3)
            file.seek(3 if start == b"\xef\xbb\xbf" else 0)
            first = file.read(1)
            while first.isspace():
                first = file.read(1)
            begin = file.tell() - len(first)
            file.seek(begin)
            whole = self._whole(file, begin)
            if whole is not None:
                yield from (self._checked(found, row) for row, found in enumerate(whole, 1))
                return
            file.seek(begin)
            for row, line in enumerate(filter(bytes.strip, file), 1):
                yield self._checked(self._parsed(line, f", row {row}"), row)

    def _whole(self, file: BinaryIO, begin: int) -> Iterable[object] | None:
        """The rows of a file that is one list or one object; None if each line is a row."""
        first = file.readline()
        if first.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise TableError(f"table {shown(self.path)}: found UTF-16, expected UTF-8; save it as UTF-8")
        lines = next(filter(bytes.strip, file), None) is not None
        if not first.startswith(b"[") and lines and (self.path.suffix.lower() != ".json" or _is_json(first)):
            return None
        file.seek(begin)
        found = self._parsed(file.read(), "" if lines else ", row 1")
        if not isinstance(found, dict):
            return found if isinstance(found, list) else [found]
        try:
            rows, how = rows_in(found, lists_are_cells=self.path.suffix.lower() != ".json")
        except ValueError as error:
            raise TableError(f"table {shown(self.path)}: {error}") from error
        if how:
            self._notes.append(f"table {shown(self.path)}: one JSON object, read as {how}")
        return rows

    def _parsed(self, content: bytes, where: str) -> object:
        try:
            return json.loads(content.decode("utf-8", "surrogateescape"), object_pairs_hook=_unique)
        except RecursionError:
            raise self._too_deep(where) from None
        except ValueError as error:
            raise TableError(f"table {shown(self.path)}{where}: not JSON ({error})") from error

    def _checked(self, found: object, row: int) -> Row:
        if not isinstance(found, dict):
            hint = f"; pandas writes objects with {WRITE}" if isinstance(found, list) else ""
            what = f"found {shown(found, 80)}, expected a JSON object{hint}"
            raise TableError(f"table {shown(self.path)}, row {row}: {what}")
        if too_deep(found):
            raise self._too_deep(f", row {row}")
        return found

    def _too_deep(self, where: str) -> TableError:
        found = f"found lists or objects nested more than {MOST_NESTED} deep"
        return TableError(f"table {shown(self.path)}{where}: {found}, expected cells that a column can hold")


def _unique(pairs: list[tuple[str, object]]) -> Row:
    """An object as a mapping.

    Raises:
        ValueError: a key occurs twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"key {repeated(key for key, _ in pairs)!r} occurs twice in one object")
    return found


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8", "surrogateescape"))
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _chunks(objects: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in lists of up to 1,000, fewer if they are wide."""
    chunk: list[Row] = []
    cells = 0
    for row in objects:
        chunk.append(row)
        cells += len(row)
        if len(chunk) == ROWS or cells >= CELLS:
            yield chunk
            chunk, cells = [], 0
    if chunk:
        yield chunk


def _by_key(chunk: list[Row]) -> dict[str, list[object]]:
    """The cells of each key that some row has."""
    found: dict[str, list[object]] = {}
    for place, row in enumerate(chunk):
        for key, cell in row.items():
            if key not in found:
                found[key] = [None] * len(chunk)
            found[key][place] = cell
    return found


def _type_of(values: list[object]) -> "pa.DataType":
    import pyarrow as pa

    try:
        return pa.array(values).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):  # mixed kinds, or text with lone surrogates
        return pa.binary()


def _common(one: "pa.DataType", other: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    if one == other:
        return one
    try:
        schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.binary()
