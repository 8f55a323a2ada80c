"""Protection of a command's inputs from being replaced, moved or removed by its outputs."""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE = "expected another place to write to"


@dataclass(frozen=True)
class Written:
    """The files that a command will replace or remove: none of them may be an input.

    Args:
        paths: resolved paths of existing files.
        linked: device and inode of those with several hard links.
    """

    paths: frozenset[str]
    linked: frozenset[tuple[int, int]]

    @staticmethod
    def of(written: Iterable[Path]) -> "Written":
        """The paths that are existing files."""
        there = [path for path in written if path.is_file()]
        found = [path.stat() for path in there]
        linked = frozenset((one.st_dev, one.st_ino) for one in found if one.st_nlink > 1)
        return Written(frozenset(os.path.realpath(path) for path in there), linked)

    def __contains__(self, path: Path) -> bool:
        if str(path) in self.paths:
            return True
        if not self.linked or not path.is_file():
            return False
        found = path.stat()
        return (found.st_dev, found.st_ino) in self.linked


def refuse_overwriting(read: Mapping[str, Iterable[Path]], written: Iterable[Path]) -> None:
    """Refuse to overwrite inputs: by the same path or another, through symbolic and hard links and `..`.

    Args:
        read: name in messages -> its files.
        written: files that may be created, replaced or removed.

    Raises:
        ValueError: names both.

    Example:
        >>> refuse_overwriting({"the table": [Path(__file__)]}, [Path(__file__)])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: ...overwriting.py: found the table itself, which would be replaced or removed; expected ...
    """
    there = [path for path in written if os.path.exists(path)]
    for role, sources in read.items() if there else ():
        for source in sources:
            for path in there:
                if os.path.exists(source) and os.path.samefile(source, path):
                    other = "" if os.path.abspath(source) == os.path.abspath(path) else f" ({source})"
                    raise ValueError(
                        f"{path}: found {role} itself{other}, which would be replaced or removed; {ELSEWHERE}"
                    )


def refuse_writing_into(role: str, folder: Path, written: Iterable[Path], *, deep: bool = True) -> None:
    """Refuse to write into a folder that is read as a whole: new files would be read the next time.

    Args:
        role: name of the folder in messages.
        folder: the folder.
        written: files that may be created, replaced or removed.
        deep: whether folders within it are also read.

    Raises:
        ValueError: names both.
    """
    root = folder.resolve()
    files = _inodes(root) if deep else frozenset()
    for path in written:
        place = path.parent.resolve()
        linked = bool(files) and path.is_file() and (path.stat().st_dev, path.stat().st_ino) in files
        if place == root or (deep and place.is_relative_to(root)) or linked:
            raise ValueError(f"{path}: found a file of {role} {folder}, all of which is read, expected another folder")


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be created or written to.

    Raises:
        NotADirectoryError: a part of its path is a file.
        PermissionError: this user may not write to the folder, or create it.
    """
    place = Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def files_in(folder: Path | str | os.PathLike[str] | None) -> Iterator[Path]:
    """The files directly in a folder, or the file of that path; none if nothing exists."""
    if folder is None:
        return
    path = Path(folder)
    if path.is_dir():
        yield from (file for file in path.iterdir() if file.is_file())
    elif path.is_file():
        yield path


def _inodes(root: Path) -> frozenset[tuple[int, int]]:
    """Device and inode of the files below a folder that have several hard links."""
    found = set()
    for place, _, names in os.walk(root):
        for name in names:
            one = os.stat(os.path.join(place, name), follow_symlinks=False)
            if one.st_nlink > 1:
                found.add((one.st_dev, one.st_ino))
    return frozenset(found)
