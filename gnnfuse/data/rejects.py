"""The cells and rows that were left out as unreadable, and why."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from gnnfuse.sample.whole_file import write_whole

OnError = Literal["stop", "missing", "skip"]
HEADER = ("row", "id", "column", "reason", "left_out")
ON_ERROR: tuple[str, ...] = get_args(OnError)
REJECTS = "rejects.csv"  # name of the list in folders that commands write


@dataclass(frozen=True)
class Reject:
    """A cell or a row that was left out.

    Args:
        row: the row's number, counted from 1.
        id: the sample's id.
        column: the column, or the signal if samples do not come from a table.
        reason: what was found and what was expected.
        left_out: the whole row was left out; otherwise only this cell, as if it were empty.
    """

    row: int
    id: str
    column: str
    reason: str
    left_out: bool


def rows_left_out(rejects: Iterable[Reject]) -> int:
    """The number of rows left out as a whole; one row may have several rejects.

    Example:
        >>> rows_left_out([Reject(3, "c", "text", "empty", True), Reject(3, "c", "image", "empty", True)])
        1
    """
    return len({reject.row for reject in rejects if reject.left_out})


def check_on_error(on_error: str) -> None:
    """Refuse an unknown policy.

    Raises:
        ValueError: names the known ones.
    """
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error {on_error!r}, expected one of {', '.join(ON_ERROR)}")


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write a list of rejects: row, id, column, reason, and what was left out ("row" or "cell").

    Characters that are not Unicode are escaped by backslashes. Without rejects, the file has only its header.

    Raises:
        OSError: it cannot be written; an earlier list stays intact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for reject in rejects:
        what = "row" if reject.left_out else "cell"
        writer.writerow((reject.row, reject.id, reject.column, reject.reason, what))
    write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))


def is_rejects(path: Path) -> bool:
    """Whether a file begins like a list of rejects."""
    header = ",".join(HEADER).encode()
    with path.open("rb") as file:
        return file.read(len(header) + 1).rstrip() == header
