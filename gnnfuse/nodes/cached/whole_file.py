"""Files that are there as a whole or not at all, whatever happens while they are written."""

import os
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".unfinished-"


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file beside its place, flush it to the disk, and rename it."""
    unfinished = path.with_name(f"{UNFINISHED}{uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    if os.name != "posix":
        return  # Windows cannot flush a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Remove what writers left that were killed; only one that holds the folder's lock may."""
    for left in folder.glob(f"{UNFINISHED}*"):
        left.unlink(missing_ok=True)
