"""The note in a fitted model's folder on the table it was fitted on, for reading other tables alike."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gnnfuse.catalog import listed
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.tables import Blanks, Columns, Table, TableError

FILE, FORMAT = "table.json", 1


@dataclass(frozen=True, kw_only=True)
class TableNote:
    """How the rows of a table become samples for a model.

    Args:
        columns: the columns that the model was fitted on.
        source: the table's name, for people.
        blanks: words that mean an empty cell.

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
    blanks: Blanks = field(default_factory=Blanks)

    def write(self, folder: Path) -> None:
        """Write the note into a folder."""
        blanks = {"words": sorted(self.blanks.words), "everywhere": self.blanks.everywhere}
        said = {"format": FORMAT, "source": self.source, "columns": asdict(self.columns), "blanks": blanks}
        write_whole(folder / FILE, (json.dumps(said, indent=2) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "TableNote":
        """Read the note from a folder.

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
            known = {each.name for each in fields(Columns)}
            columns: Any = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in found["columns"].items()
                if name in known
            }
            blanks = Blanks()  # the meaning of notes without blanks
            if "blanks" in found:
                words, everywhere = found["blanks"]["words"], found["blanks"]["everywhere"]
                blanks = Blanks(words=frozenset(words), everywhere=everywhere)
            return cls(columns=Columns(**columns), source=found["source"], blanks=blanks)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: damaged or of another version ({error})") from error

    def signals_in(self, table: Table) -> tuple[Table, Columns, tuple[str, ...]]:
        """A table as its model reads it, the columns of signals, and the signals that it lacks, which are empty.

        Raises:
            TableError: the table has none of them.
        """
        columns = replace(self.columns, target=(), id=None, split=None, group=None)
        used = columns.used
        missing = tuple(name for name in used if name not in table.types)
        if len(missing) == len(used):
            raise TableError(f"table {table.name}: found none of the columns {listed(missing)}, expected at least one")
        return table.with_empty(missing), columns, missing
