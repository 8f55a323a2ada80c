"""Checkpoints on disk: written whole or not at all, checked before they are believed, two of them kept."""

import hashlib
import os
import re
import warnings
from pathlib import Path

from gnnfuse.sample.whole_file import remove_unfinished

KEPT = 2  # the newest, and the one before in case the newest is damaged
NAME = re.compile(r"checkpoint-(?P<number>\d{6,})-(?P<digest>[0-9a-f]{16})\.ckpt")
DIGEST = "{digest}"  # in a path to write: what the content's digest takes the place of
DAMAGED = ".damaged"


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints in a folder with their numbers, oldest first."""
    if not folder.is_dir():
        return []
    found = [(NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((int(match["number"]), path) for match, path in found if match)


def refuse_earlier_run(folder: Path) -> None:
    """Refuse to begin a run where an earlier one kept checkpoints.

    Raises:
        ValueError: says how to go on with it.
    """
    if numbered(folder):
        raise ValueError(
            f"{folder}: found checkpoints of an earlier run, expected none; go on with it (--resume, resume=True), or "
            "write elsewhere (--out, out=)"
        )


def next_path(folder: Path) -> Path:
    """Where the next checkpoint goes, with a place for its digest."""
    return folder / f"checkpoint-{max((number for number, _ in numbered(folder)), default=0) + 1:06}-{DIGEST}.ckpt"


def newest(folder: Path) -> Path | None:
    """The newest checkpoint that is whole; None where there is none at all.

    A damaged one is reported by a warning and the one before it is taken.

    Raises:
        ValueError: there are checkpoints, and all are damaged.
    """
    damaged = []
    for _, path in reversed(numbered(folder)):
        match = NAME.fullmatch(path.name)
        assert match is not None
        found = digest_of(path)
        if found == match["digest"]:
            return path
        damaged.append(path.name)
        warnings.warn(
            f"{path}: damaged, found content with digest {found}, expected {match['digest']}; "
            "going back to the checkpoint before it",
            UserWarning,
            stacklevel=3,
        )
    if damaged:
        raise ValueError(f"{folder}: every checkpoint is damaged ({', '.join(damaged)}), expected one that is whole")
    return None


def tidy(folder: Path) -> None:
    """Before a run writes: remove what an earlier life left half-written, and put damaged checkpoints aside.

    A damaged one keeps its content under another name, and does not count as one of the two that are kept.
    """
    remove_unfinished(folder)
    for _, path in numbered(folder):
        match = NAME.fullmatch(path.name)
        if match and digest_of(path) != match["digest"]:
            os.replace(path, path.with_name(path.name + DAMAGED))


def digest_of(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
