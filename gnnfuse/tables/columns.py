"""The role of each column of a table."""

from dataclasses import dataclass, fields, replace

from gnnfuse.tables.error import TableError
from gnnfuse.tables.table import Table

FEATURES = "features"
SIGNALS = ("image", "audio", "text", "text_file", "rows")
CELLS = {  # role -> what its cells hold, in words
    "image": "pictures",
    "audio": "recordings",
    "text": "texts",
    "text_file": "paths of texts",
    "rows": "lists of numbers",
    "features": "numbers",
}
NO_SIGNAL = "found no column to read, expected one of " + ", ".join(
    f"{cells} (--{role.replace('_', '-')})" for role, cells in CELLS.items()
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The role of each column of a table; columns that are not named are not used.

    A column of media, text or rows is a signal with the column's name. All columns of `features` together are one
    signal (`features_signal`): one row of numbers `[1, width]`, in their order.

    Args:
        image: pictures, as paths or bytes.
        audio: recordings, as paths or bytes.
        text: texts.
        text_file: paths of files that hold a text.
        rows: lists of numbers: `[width]` or `[nodes, width]`, embeddings or series made elsewhere.
        features: numbers.
        target: what a model should predict: a class, several labels, a number, or several columns of numbers or of
            labels (0 and 1).
        id: names the rows.
        split: assigns rows to training, validation and testing.
        group: rows with the same value are never in two splits.

    Raises:
        TableError: a column is named twice among the signals, targets, id and split.

    Example:
        >>> Columns(image=("photo",), target=("species",)).signals
        ('photo',)
    """

    image: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    text_file: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    id: str | None = None
    split: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and field.name not in ("id", "split", "group"):
                object.__setattr__(self, field.name, (value,))
            elif isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        roles: dict[str, str] = {}
        for role in (*SIGNALS, "features", "target", "id", "split"):
            for name in self.of(role):
                if name in roles:
                    raise TableError(f"column {name!r} is given as {roles[name]} and again as {role}, expected one")
                roles[name] = role

    def of(self, role: str) -> tuple[str, ...]:
        """The columns with the named role."""
        found = getattr(self, role)
        return found if isinstance(found, tuple) else () if found is None else (found,)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that samples may have."""
        return self._single + ((self.features_signal,) if self.features else ())

    @property
    def features_signal(self) -> str:
        """The signal that joins all columns of numbers: "features", or "features_" if a column has that name.

        Example:
            >>> Columns(text=("features",), features=("age",)).signals
            ('features', 'features_')
        """
        name = FEATURES
        while name in self._single:
            name += "_"
        return name

    @property
    def _single(self) -> tuple[str, ...]:
        return tuple(name for role in SIGNALS for name in self.of(role))

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is used, each once."""
        roles = (*SIGNALS, "features", "target", "id", "split", "group")
        return tuple(dict.fromkeys(name for role in roles for name in self.of(role)))

    def with_id(self, name: str | None) -> "Columns":
        """A copy with another id column."""
        return replace(self, id=name)

    def check(self, table: Table) -> "Columns":
        """Return these columns if the table has them all.

        Raises:
            TableError: a column is unknown; the message names near ones.
        """
        table.check(self.used)
        return self
