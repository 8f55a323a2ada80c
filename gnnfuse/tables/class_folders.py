"""A folder of class folders as a table: one row per file, or per name that several modalities share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gnnfuse.sample.files import shown
from gnnfuse.tables.error import TableError
from gnnfuse.tables.media_kinds import kind_of_name
from gnnfuse.tables.split_folders import Parts, SplitFolder, split_folders
from gnnfuse.tables.split_names import SPLIT_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("image", "audio", "text")
SYSTEM = frozenset({"__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})


def read_class_folders(folder: Path) -> "tuple[pa.Table, tuple[str, ...]]":
    """The files below `folder/<class>/`, or below `folder/<split>/<class>/` (see `split_folders`).

    Files with the same name but different modalities, `cat/7.png` and `cat/7.wav`, are one row. Deeper folders belong
    to the class above them. If a single folder holds all media in subfolders, those subfolders are the classes or
    splits. Hidden files and operating-system folders (`__MACOSX`) are skipped.

    Returns:
        A table with the columns id (the path without its suffix), label, split ("train", "valid" or "test", if there
        are splits) and those of image, audio and text (paths) that occur; and notes on what was left out.

    Raises:
        TableError: no class folders, no files of a known kind in them, a folder that cannot be listed, or folders
            that may be either splits or classes.
    """
    media, strange = _look(folder)
    top, files = _inner(media)
    splits = split_folders(folder, files)
    rows: dict[str, dict[str, str]] = {}
    outside: Counter[str] = Counter()
    for parts in files:
        labels = {"label": parts[0]} if not splits else _labels(splits.get(parts[0]), parts)
        if labels is None:
            outside[parts[0]] += 1
        else:
            _note(rows, "/".join((*top, *parts)), labels)
    if not rows:
        raise TableError(
            f"table {shown(folder)}: found no pictures, recordings or texts in class folders, expected "
            f"{folder.name}/<class>/<file> or {folder.name}/<split>/<class>/<file>"
        )
    notes = [f"{'/'.join(top)!r} is read, because it holds all class folders"] if top else []
    renamed = [f"{name!r} is {found.split}" for name, found in splits.items() if name.lower() not in SPLIT_NAMES]
    notes += [f"splits by their folders' names: {', '.join(renamed)}"] if renamed else []
    notes += [f"left out {count} files of {name!r} that are in no class folder" for name, count in outside.items()]
    return _table(rows), (*notes, *_left_out(folder, top, media, strange))


def _look(folder: Path) -> tuple[list[Parts], Counter[str]]:
    """The files of known kinds in a folder's subfolders, as path components; the others by suffix."""
    media: list[Parts] = []
    strange: Counter[str] = Counter()
    for base in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and _visible(entry.name)):
        for parts in _files(folder, base):
            if kind_of_name(parts[-1]) is None:
                strange[Path(parts[-1]).suffix.lower()] += 1
            else:
                media.append(parts)
    return media, strange


def _files(folder: Path, base: str) -> Iterator[Parts]:
    def refuse(error: OSError) -> NoReturn:
        raise TableError(f"table {shown(folder)}: cannot list {shown(error.filename)} ({error.strerror})") from error

    for place, folders, files in os.walk(folder / base, onerror=refuse):
        folders[:] = sorted(filter(_visible, folders))
        above = Path(place).relative_to(folder).parts
        yield from ((*above, name) for name in sorted(filter(_visible, files)))


def _visible(name: str) -> bool:
    return not name.startswith(".") and name not in SYSTEM


def _inner(files: list[Parts]) -> tuple[Parts, list[Parts]]:
    """The folders above all class folders or splits, if any, and the files below them."""
    top: Parts = ()
    while len({parts[0] for parts in files}) == 1 and files[0][0].lower() not in SPLIT_NAMES:
        deeper = [parts[1:] for parts in files if len(parts) > 2]
        if not deeper or any(len(parts) == 2 and kind_of_name(parts[1]) != "text" for parts in files):
            break
        top, files = (*top, files[0][0]), deeper
    return top, files


def _labels(found: SplitFolder | None, parts: Parts) -> dict[str, str] | None:
    """Class and split of a file; None where it is in no class folder of a split."""
    if found is None or len(parts) <= found.depth + 1:
        return None
    return {"label": parts[found.depth], "split": found.split}


def _left_out(folder: Path, top: Parts, media: list[Parts], strange: Counter[str]) -> list[str]:
    """Notes on anything else in the folder."""
    filled = {parts[0] for parts in media}
    with os.scandir(folder) as entries:
        names = {entry.name: entry.is_dir() for entry in entries if not entry.name.startswith(".")}
    empty = sorted(name for name, is_folder in names.items() if is_folder and name not in filled)
    loose = sorted(name for name, is_folder in names.items() if not is_folder)
    loose += ["/".join(parts) for parts in media if len(parts) <= len(top) + 1]
    notes = [f"left out {len(empty)} folders without media, such as {empty[0]!r}"] if empty else []
    notes += [f"left out {count} files of unknown kind {suffix!r}" for suffix, count in sorted(strange.items())]
    notes += [f"left out {len(loose)} files beside the class folders, such as {loose[0]!r}"] if loose else []
    return notes


def _note(rows: dict[str, dict[str, str]], path: str, labels: dict[str, str]) -> None:
    kind = str(kind_of_name(path))
    name = path.removesuffix(Path(path).suffix)
    name = name if kind not in rows.get(name, {}) else path  # 7.png and 7.jpg are two rows
    rows.setdefault(name, labels | {"id": name})[kind] = path


def _table(rows: dict[str, dict[str, str]]) -> "pa.Table":
    import pyarrow as pa

    listed = [rows[name] for name in sorted(rows)]
    columns = [name for name in ("id", "label", "split", *COLUMNS) if any(name in row for row in listed)]
    cells = {name: [os.fsencode(row[name]) if name in row else None for row in listed] for name in columns}
    return pa.table({name: pa.array(found, pa.binary()) for name, found in cells.items()})
