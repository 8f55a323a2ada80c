"""What a fitted model's folder says of the table it was fitted on, so that others can be read alike."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from gnnfuse.data.tables import Columns, Table, TableError

FILE, FORMAT = "table.json", 1


@dataclass(frozen=True, kw_only=True)
class TableNote:
    """How the rows of a table become samples for a model.

    Args:
        columns: the columns that it was fitted on.
        source: the table's name, for people.

    Example:
        >>> import tempfile
        >>> note = TableNote(columns=Columns(text=("caption",)), source="pets.csv")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     note.write(Path(folder))
        ...     TableNote.read(Path(folder)) == note
        True
    """

    columns: Columns
    source: str

    def write(self, folder: Path) -> None:
        """Into the folder."""
        text = json.dumps({"format": FORMAT, "source": self.source, "columns": asdict(self.columns)}, indent=2)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "TableNote":
        """From the folder.

        Raises:
            FileNotFoundError: the folder has no such note: `gnnfuse fit` did not write it.
            ValueError: a newer format, or a damaged one.
        """
        path = folder / FILE
        if not path.is_file():
            raise FileNotFoundError(f"found no {FILE} in {folder}, expected a folder that `gnnfuse fit` wrote")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            number = found["format"]
            if number != FORMAT:
                raise ValueError(f"format {number!r}, expected {FORMAT}")
            known = {field.name for field in fields(Columns)}
            columns: Any = {name: _tuple(value) for name, value in found["columns"].items() if name in known}
            return cls(columns=Columns(**columns), source=found["source"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: damaged or of another version ({error})") from error

    def columns_in(self, table: Table) -> tuple[Columns, tuple[str, ...]]:
        """Those of its columns that a table has, and the names of signals that it lacks.

        Numbers are a signal of all their columns together: a table that has only some of them is an error.

        Raises:
            TableError: no signal is left, or some columns of numbers are missing and others are there.
        """
        have = set(table.columns)
        kept: dict[str, object] = {}
        missing: list[str] = []
        for role in ("image", "audio", "text", "text_file", "rows"):
            names = getattr(self.columns, role)
            kept[role] = tuple(name for name in names if name in have)
            missing += [name for name in names if name not in have]
        numbers = self.columns.features
        lacking = [name for name in numbers if name not in have]
        if lacking and len(lacking) < len(numbers):
            raise TableError(
                f"table {table.name}: found no column {lacking[0]!r}, expected all of the columns of numbers "
                f"{', '.join(numbers)}, or none"
            )
        kept["features"] = () if lacking else numbers
        missing += lacking
        found = Columns(**kept)  # type: ignore[arg-type]  # names of fields
        if not found.signals:
            raise TableError(
                f"table {table.name}: found none of the columns {', '.join(missing)}, expected at least one"
            )
        return found, tuple(missing)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
