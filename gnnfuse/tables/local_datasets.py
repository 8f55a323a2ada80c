"""Folders that Hugging Face datasets reads, without reading anything outside them and without network access."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_checks import check_values
from gnnfuse.tables.arrow_rows import map_arrow
from gnnfuse.tables.error import TableError
from gnnfuse.tables.media_path import ADVICE

SPLITS, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"  # files that `save_to_disk` writes
CARDS = ("README.md", ".huggingface.yaml")
READERS = frozenset({"arrow", "audiofolder", "csv", "imagefolder", "json", "parquet", "text"})  # of datasets


def is_dataset_folder(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return any((folder / name).is_file() for name in (SPLITS, STATE))


def load_folder(folder: Path, cache: Path | None, *, streaming: bool, allow_outside: bool) -> object:
    """The data set in a folder: one that `save_to_disk` wrote, or data files with or without a card that names them.

    Args:
        folder: the folder.
        cache: where datasets keeps converted data; None for its default folder.
        streaming: read rows one after another.
        allow_outside: let the card, the lists of files and links name files elsewhere.

    Raises:
        TableError: it cannot be read, names something outside the folder, or needs a builder other than those for
            text, tables, pictures or recordings.
    """
    import datasets

    inside = _Inside(folder, allow_outside)
    if is_dataset_folder(folder):
        for rows_folder in _row_folders(inside):
            for file in _saved_files(inside, rows_folder):
                check_values(map_arrow(file), shown(file))
        return datasets.load_from_disk(os.path.abspath(folder))
    _check_cards(inside)
    where = None if cache is None else str(cache)
    builder = datasets.load_dataset_builder(os.path.abspath(folder), cache_dir=where)
    kind = type(builder).__module__.split(".")[-1]
    if kind not in READERS:
        raise TableError(
            f"table {shown(folder)}: found files for {kind!r}, expected one of {', '.join(sorted(READERS))}"
        )
    for file in (file for files in builder.config.data_files.values() for file in files):
        path = inside.file(str(file), "its list of data files")
        if kind == "arrow" and path is not None:
            check_values(map_arrow(path), shown(path))
    if streaming:
        return builder.as_streaming_dataset()
    builder.download_and_prepare()
    return builder.as_dataset()


@dataclass(frozen=True)
class _Inside:
    """Refuses names that lead out of a folder."""

    folder: Path
    allow_outside: bool

    def file(self, name: str, where: str) -> Path | None:
        """The ordinary file with a name; None for a URL, which is refused unless `allow_outside` is set."""
        if "://" in name or "::" in name:
            self.refuse(name, where)
            return None
        path = self.folder / name
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder)):
            self.refuse(name, where)
        if not path.is_file():
            found = "a pipe, device or folder" if os.path.lexists(path) else "no file"
            raise TableError(f"table {shown(self.folder)}: {where} names {shown(name)}, found {found} there")
        return path

    def plain(self, name: object, where: str) -> str:
        """The name of a file or folder directly in the folder."""
        if not isinstance(name, str) or name in ("", "..") or re.search(r"[/\\]", name):
            self.refuse(name, where)
        return str(name)

    def refuse(self, name: object, where: str) -> None:
        """Raise unless files elsewhere are allowed."""
        if not self.allow_outside:
            raise TableError(
                f"table {shown(self.folder)}: {where} names {shown(name)}, expected names within the folder{ADVICE}"
            )


def _row_folders(inside: _Inside) -> Iterator[Path]:
    """The folders of a saved data set that hold rows: those of its splits, or its own."""
    folder = inside.folder
    if (folder / INFO).is_file() and (folder / STATE).is_file():
        yield folder
        return
    for split in _read(inside, folder / SPLITS).get("splits", ()):
        yield folder / inside.plain(split, SPLITS)


def _saved_files(inside: _Inside, folder: Path) -> Iterator[Path]:
    _read(inside, folder / INFO)
    for entry in _read(inside, folder / STATE).get("_data_files", ()):
        name = inside.plain(entry.get("filename") if isinstance(entry, dict) else entry, STATE)
        found = inside.file(str(folder.relative_to(inside.folder) / name), STATE)
        if found is not None:
            yield found


def _read(inside: _Inside, path: Path) -> dict[str, Any]:
    name = str(path.relative_to(inside.folder))
    inside.file(name, "the folder itself")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise TableError(f"table {shown(inside.folder)}: {name} is not readable JSON ({error})") from error
    if not isinstance(found, dict):
        raise TableError(f"table {shown(inside.folder)}: {name} holds {shown(found, 80)}, expected a JSON object")
    return found


def _check_cards(inside: _Inside) -> None:
    """Refuse file patterns that lead out, before datasets expands them."""
    from huggingface_hub import DatasetCard

    for name in CARDS:
        if not os.path.lexists(inside.folder / name):
            continue
        path = inside.file(name, "the folder itself")
        text = Path(str(path)).read_text(encoding="utf-8", errors="replace")
        text = text if name.endswith(".md") else f"---\n{text}\n---\n"
        card = DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]
        for config in card.get("configs") or ():
            for pattern in _patterns(config):
                if not isinstance(pattern, str):
                    raise TableError(
                        f"table {shown(inside.folder)}: {name} names data files by something other than texts"
                    )
                if os.path.isabs(pattern) or re.search(r"://|::|\\|^~", pattern) or ".." in pattern.split("/"):
                    inside.refuse(pattern, name)


def _patterns(config: Any) -> Iterator[object]:
    """The patterns in a configuration: `data_dir`, and `data_files` as a text, a list, or paths by split."""
    for value in (config.get("data_dir"), config.get("data_files")) if isinstance(config, dict) else ():
        for entry in value if isinstance(value, list) else [value]:
            paths = entry.get("path") if isinstance(entry, dict) else entry
            yield from (path for path in (paths if isinstance(paths, list) else [paths]) if path is not None)
