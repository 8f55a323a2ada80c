"""A folder of class folders as a table: one row per file, or per name that several modalities share."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.data.tables.error import TableError
from gnnfuse.data.tables.media_kinds import kind_of_name
from gnnfuse.data.tables.split_names import SPLIT_NAMES
from gnnfuse.sample.files import shown

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("image", "audio", "text")


def read_class_folders(folder: Path) -> "tuple[pa.Table, tuple[str, ...]]":
    """The files below `folder/<class>/`, or `folder/<split>/<class>/` where all folders are named like splits.

    Files of one name but different modalities, `cat/7.png` and `cat/7.wav`, are one row. Deeper folders belong to
    the class above them. Hidden files are not looked at; links to folders are not followed.

    Returns:
        A table with the columns id (the path without its ending), label, split (where there are splits) and, of image,
        audio and text (paths), those that occur; and notes on files that were left out.

    Raises:
        TableError: no class folders, or no files of a known kind in them.
    """
    top = _folders(folder)
    with_splits = bool(top) and all(name.lower() in SPLIT_NAMES for name in top)
    rows: dict[str, dict[str, str]] = {}
    strange: Counter[str] = Counter()
    for split in top if with_splits else [None]:
        base = folder if split is None else folder / split
        for label in _folders(base):
            for file in _files(base / label):
                path = file.relative_to(folder).as_posix()
                _note(rows, path, {"label": label} | ({"split": split} if split is not None else {}), strange)
    if not rows:
        raise TableError(
            f"table {shown(folder)}: found no pictures, recordings or texts in class folders, expected "
            f"{folder.name}/<class>/<file> or {folder.name}/<split>/<class>/<file>"
        )
    loose = [name for name in sorted(os.listdir(folder)) if (folder / name).is_file() and not name.startswith(".")]
    notes = [f"left out {count} files of unknown kind {suffix!r}" for suffix, count in sorted(strange.items())]
    notes += [f"left out {len(loose)} files beside the class folders, such as {loose[0]!r}"] if loose else []
    return _table(rows), tuple(notes)


def _note(rows: dict[str, dict[str, str]], path: str, given: dict[str, str], strange: Counter[str]) -> None:
    kind = kind_of_name(path)
    if kind is None:
        strange[Path(path).suffix.lower()] += 1
        return
    name = path.removesuffix(Path(path).suffix)
    name = name if kind not in rows.get(name, {}) else path  # 7.png and 7.jpg are two rows
    rows.setdefault(name, given | {"id": name})[kind] = path


def _table(rows: dict[str, dict[str, str]]) -> "pa.Table":
    import pyarrow as pa

    listed = [rows[name] for name in sorted(rows)]
    columns = [name for name in ("id", "label", "split", *COLUMNS) if any(name in row for row in listed)]
    return pa.table({name: pa.array([_storable(row.get(name)) for row in listed], pa.binary()) for name in columns})


def _storable(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    found = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(base, name) for name in sorted(files) if not name.startswith(".")]
    return found
