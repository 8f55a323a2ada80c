"""Checkpoints on disk: written atomically, verified before use, two of them kept."""

import hashlib
import os
import re
import warnings
from pathlib import Path

from gnnfuse.sample.whole_file import remove_unfinished

KEPT = 2  # the newest, and the one before in case the newest is damaged
NAME = re.compile(r"checkpoint-(?P<number>\d{6,})-(?P<digest>[0-9a-f]{16})\.ckpt")
DIGEST = "{digest}"  # placeholder in a path to write, replaced by the digest of the content
DAMAGED = ".damaged"


class CheckpointError(ValueError):
    """A run cannot begin beside the checkpoints that it found, or cannot continue from them."""


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints in a folder with their numbers, oldest first."""
    if not folder.is_dir():
        return []
    found = [(NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((int(match["number"]), path) for match, path in found if match)


def has_earlier_run(folder: Path) -> bool:
    """Whether a run kept checkpoints in a folder, or several runs in folders of it."""
    return any(numbered(each) for each in (folder, *folder.glob("*/"), *folder.glob("*/*/")))


def refuse_earlier_run(folder: Path) -> None:
    """Refuse to begin a run where an earlier one kept checkpoints.

    Raises:
        CheckpointError: always in that case; the message explains how to continue the run.
    """
    if has_earlier_run(folder):
        raise CheckpointError(
            f"{folder}: found checkpoints of an earlier run, expected none; continue it (--resume, resume=True), or "
            "write elsewhere (--out, out=)"
        )


def next_path(folder: Path) -> Path:
    """The path of the next checkpoint, with a placeholder for its digest."""
    return folder / f"checkpoint-{max((number for number, _ in numbered(folder)), default=0) + 1:06}-{DIGEST}.ckpt"


def newest(folder: Path) -> Path | None:
    """The newest undamaged checkpoint; None if there is no checkpoint at all.

    A damaged checkpoint gives a warning and is passed over.

    Raises:
        CheckpointError: there are checkpoints, and all are damaged.
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
            "using the checkpoint before it",
            UserWarning,
            stacklevel=3,
        )
    if damaged:
        raise CheckpointError(
            f"{folder}: every checkpoint is damaged ({', '.join(damaged)}), expected an undamaged one"
        )
    return None


def tidy(folder: Path) -> None:
    """Before a run writes: remove half-written files of an earlier process and put damaged checkpoints aside.

    A damaged checkpoint is renamed and does not count as one of the two that are kept.
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
