"""Writes files atomically: a file exists completely or not at all, whatever happens during writing.

A file is written beside its final path under a temporary name, and locked by its writer. The lock ends with the
process, so that the next writer in the folder recognises and removes the leftovers of a killed one.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

UNFINISHED, SAVING = ".unfinished-", ".saving-"  # files; folders of a model's files
OURS = re.compile(r"\.(unfinished|saving)-[0-9a-f]{32}(\..+)?")
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # only a write fails with these
_held: set[int] = set()


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file beside its final path, flush it to disk, and rename it.

    Raises:
        OSError: it cannot be written; names the path.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replacing(path: Path, *, final: Callable[[Path], Path] | None = None) -> Iterator[Path]:
    """An empty file beside a path, renamed to that path on success and removed otherwise.

    Args:
        path: the final path.
        final: maps the written file to its final path, for names with a digest of the content; `path` by default.

    Raises:
        OSError: it cannot be written; names the path.
    """
    make_folder(path.parent)
    with unfinished(path.parent, suffix=path.suffix) as partial, _named(path, partial):
        yield partial
        flush(partial)
        put(partial, path if final is None else final(partial))


def put(written: Path, place: Path) -> None:
    """Rename a flushed file to its final path within one file system, and flush the new name to disk."""
    os.replace(written, place)
    flush(place.parent)


def make_folder(folder: Path) -> None:
    """Make a folder if there is none yet.

    Raises:
        NotADirectoryError: a file is there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


@contextmanager
def unfinished(folder: Path, *, suffix: str = "") -> Iterator[Path]:
    """A new file with a temporary name, locked; removed afterwards if it is still there.

    Raises:
        OSError: it cannot be created; names the folder.
    """
    path = folder / f"{UNFINISHED}{uuid4().hex}{suffix}"
    with _named(folder, path):
        path.touch(exist_ok=False)
    with _owned(path):
        yield path


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """Like `unfinished`, but a folder for several files."""
    path = folder / f"{SAVING}{uuid4().hex}"
    with _named(folder, path):
        path.mkdir()
    with _owned(path):
        yield path


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files that killed writers left in a folder; those of running processes stay."""
    if not folder.is_dir():
        return
    for left in [path for path in folder.iterdir() if OURS.fullmatch(path.name) and not path.is_symlink()]:
        with suppress(OSError):  # another process was faster, or owns it
            release = lock(left)
            if release is not None:
                _remove(left)
                release()


def lock(path: Path, *, wait: bool = False) -> Callable[[], None] | None:
    """Lock a file or folder until this process ends, however it ends; forked children do not hold the lock.

    Returns:
        A function that unlocks it; None where the system or the file system has no locks.

    Raises:
        BlockingIOError: another process holds it, and `wait` is not set.
        FileNotFoundError: nothing is there.
    """
    if os.name != "posix":
        return None
    import fcntl

    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    _held.add(handle)

    def release() -> None:
        if handle in _held:  # a forked child has already closed its copy
            _held.remove(handle)
            os.close(handle)

    return release


def _let_go() -> None:
    """Close locks in a forked child: a lock lasts as long as any process has the file open."""
    for handle in _held:
        os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def flush(path: Path) -> None:
    """Flush a file's content, or the names in a folder, to disk."""
    is_folder = path.is_dir()
    if is_folder and os.name != "posix":
        return  # Windows cannot flush a folder
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    release = lock(path)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            _remove(path)
        if release is not None:
            release()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


@contextmanager
def _named(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Make write errors name the file that the user knows, not the temporary one."""
    try:
        yield
    except OSError as error:
        where = error.filename
        own = where is not None and partial is not None and Path(os.fsdecode(where)).is_relative_to(partial)
        if error.errno is None or not (own or (where is None and error.errno in OF_THE_DISK)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
