"""Options that calls and commands share: opening a table, the roles of its columns; imports nothing large.

The last string of an annotation describes the field, also in the help of commands; a string before it is the name of
the option.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

Names = Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """How a table is opened; `gnnfuse.tables.open_table` explains the fields, which are its arguments.

    Raises:
        ValueError: `allow_outside` or `streaming` that is not True or False.

    Example:
        >>> OpenOptions(blanks=["-"], streaming=True).media is None
        True
    """

    media: Annotated[Path | str | None, "Folder that paths in cells start from; the table's own by default."] = None
    allow_outside: Annotated[
        bool, "Let paths in cells lead out of that folder, and a folder's own lists of files out of it."
    ] = False
    blanks: Annotated[
        Names,
        "--blank",
        "Word that stands for an empty cell in all columns. By default the usual words (NA, null, ...) in columns of "
        "numbers and targets; after fit, the words of training.",
    ] = None
    streaming: Annotated[
        bool, "Read rows one after another: a table of any length, neither held in memory nor converted first."
    ] = False

    def __post_init__(self) -> None:
        for name in ("allow_outside", "streaming"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}: found {getattr(self, name)!r}, expected True or False")


@dataclass(frozen=True, kw_only=True)
class ColumnOptions:
    """The requested columns of each role. Roles left at None are guessed; an empty list means none of a kind.

    A single name may stand for a list of one. A group is never guessed, and ignored columns are unused whatever they
    hold.

    Raises:
        ValueError: something else than names of columns.

    Example:
        >>> ColumnOptions(text="caption", image=[], target=["toxic", "rude"]).given
        {'image': (), 'text': ('caption',), 'target': ('toxic', 'rude')}
    """

    image: Annotated[Names, "Column of pictures: paths or bytes."] = None
    audio: Annotated[Names, "Column of recordings: paths or bytes."] = None
    text: Annotated[Names, "Column of texts."] = None
    text_file: Annotated[Names, "Column of paths of files that hold a text."] = None
    rows: Annotated[Names, "Column of lists of numbers."] = None
    features: Annotated[Names, "Column of numbers."] = None
    target: Annotated[Names, "Column to predict; several for a vector of numbers, or for labels (0 and 1)."] = None
    id: Annotated[str | None, "Column that names the rows."] = None
    split: Annotated[
        str | None, "Column that assigns rows to train, valid or test; without one, a rule splits them."
    ] = None
    group: Annotated[str | None, "Column whose equal values stay in one split: a person, a session."] = None
    ignore: Annotated[Names, "Column that is not used."] = None

    def __post_init__(self) -> None:
        for role, names in list(vars(self).items()):
            single = role in ("id", "split", "group")
            if names is None or (single and isinstance(names, str)):
                continue
            listed = (names,) if isinstance(names, str) else names
            if single or not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
                expected = "the name of a column" if single else "names of columns in a list"
                raise ValueError(f"{role}: found {names!r}, expected {expected}")
            object.__setattr__(self, role, tuple(name for name in listed if name))

    @property
    def given(self) -> dict[str, tuple[str, ...]]:
        """Role -> the requested columns; without roles that are guessed, and without ignored columns."""
        found = {role: names for role, names in vars(self).items() if names is not None and role != "ignore"}
        return {role: (names,) if isinstance(names, str) else names for role, names in found.items()}
