"""Decides which folders are splits, by name and by whether they hold class folders."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gnnfuse.sample.files import shown
from gnnfuse.tables.error import TableError
from gnnfuse.tables.split_names import SPLIT_NAMES

WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})(?![a-z])")
FOLD = re.compile(r"fold[\W_]?\d+", re.IGNORECASE)
Parts = tuple[str, ...]  # components of a path: folders, then the file's name


@dataclass(frozen=True)
class SplitFolder:
    """A folder that is a split.

    Args:
        split: "train", "valid" or "test".
        depth: number of folders above its class folders, including itself: 2 if it only holds a folder of its own name.
    """

    split: str
    depth: int


def split_folders(folder: Path, files: Sequence[Parts]) -> dict[str, SplitFolder]:
    """The folders that are splits; none if the folders are classes.

    A folder is a split if it is named like one (`train`, `val`; `seg_train` if there is a `seg_test`) and at least one
    such folder holds class folders. If none does, folders named like splits are classes like their neighbours.
    Folders beside splits are left out unless they hold class folders themselves.

    Args:
        folder: names the table in messages.
        files: the files of known kinds below it.

    Raises:
        TableError: the names allow either reading.

    Example:
        >>> found = split_folders(Path("pets"), [("train", "cat", "1.png"), ("val", "cat", "2.png"), ("rest", "3.png")])
        >>> {name: each.split for name, each in found.items()}
        {'train': 'train', 'val': 'valid'}
        >>> split_folders(Path("cars"), [("train", "1.png"), ("bus", "2.png")])
        {}
    """
    below: dict[str, list[Parts]] = defaultdict(list)
    for parts in files:
        below[parts[0]].append(parts)
    doubled = {name: all(len(parts) > 2 and parts[1] == name for parts in found) for name, found in below.items()}
    depth = {name: 2 if twice else 1 for name, twice in doubled.items()}
    holding = {name for name, found in below.items() if any(len(parts) > depth[name] + 1 for parts in found)}
    splits = _named(below)
    others = [name for name in below if name not in splits]
    if below and all(FOLD.fullmatch(name) for name in below):
        raise _unclear(folder, "folders named like folds", list(below), "that hold media")
    if not holding & splits.keys():
        if others and len({*splits.values()}) > 1 and "train" in splits.values():
            raise _unclear(
                folder, "folders named like splits", list(splits), f"without class folders beside {others[0]!r}"
            )
        return {name: SplitFolder(split, depth[name]) for name, split in splits.items()} if not others else {}
    strange = [name for name in others if name in holding or len({splits[n] for n in holding & splits.keys()}) < 2]
    if strange:
        raise _unclear(folder, "folders named like splits", list(splits), f"beside {strange[0]!r}, which holds media")
    return {name: SplitFolder(split, depth[name]) for name, split in splits.items()}


def _named(names: Iterable[str]) -> dict[str, str]:
    """The names that are split names, or that differ from one another only in a split name."""
    found: dict[str, str] = {}
    families: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        words = list(WORD.finditer(name.lower()))
        if name.lower() in SPLIT_NAMES:
            found[name] = SPLIT_NAMES[name.lower()]
        elif len(words) == 1:
            rest = name.lower()[: words[0].start()] + "*" + name.lower()[words[0].end() :]
            families[re.sub(r"\d+", "0", rest)][name] = SPLIT_NAMES[words[0].group()]
    for family in families.values():
        if len({*family.values()}) > 1 and "train" in family.values():
            found |= family
    return found


def _unclear(folder: Path, what: str, names: list[str], where: str) -> TableError:
    return TableError(
        f"table {shown(folder)}: found {what} ({', '.join(map(repr, sorted(names)))}) {where}: are they splits or "
        "classes? If splits, expected nothing but <split>/<class>/<file>; if classes, rename them; else name files and "
        "classes in a table with a column 'split'"
    )
