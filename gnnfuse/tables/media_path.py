"""Resolves the path in a cell within the media folder, or refuses it."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath

from gnnfuse.data.overwriting import ELSEWHERE, Written
from gnnfuse.sample.files import shown
from gnnfuse.sample.unreadable import Unreadable
from gnnfuse.tables.error import TableError

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(//|/)")
ADVICE = "; allow_outside (--allow-outside) lets paths lead elsewhere"


@dataclass(frozen=True)
class MediaFolder:
    """The folder that a table's media paths start from, and whether they may leave it.

    No file is opened here, so paths are cheap even for every row of a large table; symbolic links are followed, so
    that none leads out of the folder.

    Args:
        path: the folder; None for a table without one, which allows no relative paths.
        allow_outside: let absolute paths, `..` and links lead anywhere. URLs are never fetched.
        written: files that the caller will replace or remove; no cell may name one.

    Example:
        >>> MediaFolder(Path("/data")).resolve("../etc/passwd").found
        "a path that goes up: '../etc/passwd'"
    """

    path: Path | None
    allow_outside: bool = False
    written: Written | None = None

    def resolve(self, cell: str, *, absolute: bool = False) -> Path | Unreadable:
        """The file that a cell names.

        Args:
            cell: the cell's text.
            absolute: accept an absolute path within the folder, as libraries write them beside embedded media.

        Raises:
            TableError: the cell names a file that will be replaced or removed.
        """
        never = _never(cell)
        if never is not None:
            return Unreadable(f"{never}: {shown(cell)}", f"the path of a file in {self.described}")
        outside = None if self.allow_outside else self._outside(cell, absolute)
        if outside is not None:
            return Unreadable(f"{outside}: {shown(cell)}", f"the path of a file in {self.described}{ADVICE}")
        if self.path is None and not os.path.isabs(cell):
            expected = "a folder of media (media=, --media): the table has none"
            return Unreadable(f"a relative path: {shown(cell)}", expected)
        found = Path(os.path.realpath(os.path.join(self.path or "/", cell)))
        if not self.allow_outside and not found.is_relative_to(self._root):
            return Unreadable(
                f"a path that leads out of the folder: {shown(cell)}", f"a file in {self.described}{ADVICE}"
            )
        if self.written is not None and found in self.written:
            raise TableError(
                f"{found}: a cell of the table names this file ({shown(cell)}), which would be replaced or "
                f"removed; {ELSEWHERE}"
            )
        return found

    def _outside(self, cell: str, absolute: bool) -> str | None:
        if os.path.isabs(cell) and not (absolute and self.path is not None):
            return "an absolute path"
        return "a path that goes up" if ".." in re.split(r"[/\\]", cell) else None

    @property
    def described(self) -> str:
        """The folder as messages name it."""
        return f"the folder {os.path.abspath(self.path)!r}" if self.path else "a folder of media"

    @cached_property
    def _root(self) -> str:  # following links costs more than everything else here
        return os.path.realpath(self.path or "/")


def _never(cell: str) -> str | None:
    """What is wrong with a path that no folder can contain."""
    if "\0" in cell:
        return "a path with a NUL byte"
    if cell.startswith(("\\\\", "//")):
        return "a network path"
    if URL.match(cell) and not re.match(r"[A-Za-z]:", cell):
        return "a URL, which is never fetched"
    if os.name != "nt" and PureWindowsPath(cell).drive:
        return "a path with a drive"
    return None
