"""The folder of data sets that are not part of the package, and checks of its files."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "GNNFUSE_DATA"


class DataError(ValueError):
    """A data set is missing or altered: names the folder or file, what was found and what to do."""


def open_folder(name: str, files: Sequence[str], *, root: str | Path | None = None) -> Path:
    """The folder of one data set, after its files have been checked against its SHA256SUMS.

    Args:
        name: folder of the data set inside the data folder.
        files: the files that will be read; others in the folder are ignored.
        root: the data folder; None takes it from the environment variable GNNFUSE_DATA.

    Returns:
        The folder, with each of `files` present and unaltered.

    Raises:
        DataError: no data folder is given, or it lacks the data set, or a file is missing or altered.

    Example:
        >>> open_folder("av_digits", ["pairs.csv"], root="nowhere")
        Traceback (most recent call last):
        ...
        gnnfuse.bench.data.shared_folder.DataError: av_digits: found no folder nowhere/av_digits; pass --data DIR \
or set GNNFUSE_DATA to a folder that holds av_digits/pairs.csv
    """
    wish = f"pass --data DIR or set {VARIABLE} to a folder that holds {name}/{', '.join(files)}"
    given = root if root is not None else os.environ.get(VARIABLE)
    if not given:
        raise DataError(f"{name}: no data folder is given; {wish}")
    folder = Path(given) / name
    if not folder.is_dir():
        raise DataError(f"{name}: found no folder {folder}; {wish}")
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        raise DataError(f"{name}: found no file {sums}, which lists the checksums of the files; {wish}")
    lines = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines() if line.strip()]
    expected = {file.lstrip("*").strip(): digest for digest, file in lines}
    for file in files:
        check(folder / file, expected.get(file), name, wish)
    return folder


def check(path: Path, expected: str | None, name: str, wish: str) -> None:
    """Compare one file with its line in SHA256SUMS.

    Raises:
        DataError: the file is missing, has no line, or is altered.
    """
    if expected is None:
        raise DataError(f"{name}: {path.parent / 'SHA256SUMS'} has no line for {path.name}; {wish}")
    if not path.is_file():
        raise DataError(f"{name}: found no file {path}; {wish}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise DataError(
            f"{name}: {path} is altered: found sha256 {found}, expected {expected}; copy the file again, or {wish}"
        )
