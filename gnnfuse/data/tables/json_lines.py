"""JSON Lines files: one object per row."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.data.tables.error import TableError
from gnnfuse.sample.files import shown

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000  # made into one Arrow batch


@dataclass(frozen=True)
class JsonLinesFile:
    """A file with one JSON object per line (or one array of objects), in UTF-8.

    Columns are the keys in the order of their first appearance; a key that a row lacks is an empty cell. Whole numbers
    and fractions make a column of numbers; a column of values of several kinds, or of text that is not UTF-8, becomes
    a column of texts kept as bytes (a number or list in it as JSON writes it).

    Args:
        path: the file.
        look: rows that the columns are learnt from; None for all.
    """

    path: Path
    look: int | None = None
    _learnt: "dict[str, pa.Schema]" = field(default_factory=dict, init=False, repr=False, compare=False)

    def schema(self) -> "pa.Schema":
        """The columns' types; those of mixed kinds are bytes.

        Raises:
            TableError: a line that is no JSON object.
        """
        if "schema" not in self._learnt:
            self._learnt["schema"] = self._learn()
        return self._learnt["schema"]

    def texts(self) -> frozenset[str]:
        """Columns of texts that are kept as bytes."""
        import pyarrow as pa

        return frozenset(entry.name for entry in self.schema() if entry.type == pa.binary())

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        schema, rows = self.schema(), 0
        for part in _parts(self._objects(), ROWS):
            for row, found in enumerate(part, rows + 1):
                new = found.keys() - set(schema.names)
                if new:
                    raise TableError(
                        f"table {shown(self.path)}, row {row}: found column {min(new)!r}, which none of the first "
                        f"{self.look} rows has; open the table without streaming"
                    )
            columns = [self._column(part, entry, rows) for entry in schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            rows += len(part)

    def _learn(self) -> "pa.Schema":
        import pyarrow as pa

        found: dict[str, pa.DataType] = {}
        for part in _parts(islice(self._objects(), self.look), ROWS):
            for name in dict.fromkeys(key for row in part for key in row):
                found[name] = _common(found.get(name, pa.null()), _type_of([row.get(name) for row in part]))
        if not found:
            raise TableError(f"table {shown(self.path)}: found no rows, expected a JSON object per line")
        return pa.schema([(name, pa.string() if kind == pa.null() else kind) for name, kind in found.items()])

    def _column(self, part: list[dict[str, object]], entry: "pa.Field", rows: int) -> "pa.Array":
        import pyarrow as pa

        values = [row.get(entry.name) for row in part]
        try:
            return pa.array([_as_bytes(value) for value in values] if entry.type == pa.binary() else values, entry.type)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise TableError(
                f"table {shown(self.path)}, rows {rows + 1} to {rows + len(part)}, column {entry.name!r}: {error}"
            ) from error

    def _objects(self) -> Iterator[dict[str, object]]:
        with self.path.open("rb") as file:
            start = file.read(3)
            file.seek(3 if start == b"\xef\xbb\xbf" else 0)
            first = file.read(1)
            while first.isspace():
                first = file.read(1)
            file.seek(file.tell() - len(first))
            if first == b"[":
                yield from self._array(file.read())
                return
            row = 0
            for line in file:
                if line.strip():
                    row += 1
                    yield self._object(line, row)

    def _array(self, content: bytes) -> Iterator[dict[str, object]]:
        try:
            listed = json.loads(content.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError) as error:
            raise TableError(f"table {shown(self.path)}: not JSON ({error})") from error
        for row, found in enumerate(listed, 1):
            yield self._checked(found, row)

    def _object(self, line: bytes, row: int) -> dict[str, object]:
        try:
            found = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError) as error:
            raise TableError(f"table {shown(self.path)}, row {row}: not JSON ({error})") from error
        return self._checked(found, row)

    def _checked(self, found: object, row: int) -> dict[str, object]:
        if not isinstance(found, dict):
            raise TableError(f"table {shown(self.path)}, row {row}: found {shown(found, 80)}, expected a JSON object")
        return found


def _parts(objects: Iterator[dict[str, object]], size: int) -> Iterator[list[dict[str, object]]]:
    while part := list(islice(objects, size)):
        yield part


def _type_of(values: list[object]) -> "pa.DataType":
    import pyarrow as pa

    try:
        return pa.array(values).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):  # mixed kinds, or text with lone surrogates
        return pa.binary()


def _common(one: "pa.DataType", other: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    try:
        schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.binary()


def _as_bytes(value: object) -> bytes | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=isinstance(value, Mapping | list))
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that the JSON itself spells
        return text.encode("utf-8", "surrogatepass")
