"""The usual names of splits in tables."""

from collections.abc import Mapping

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "tr"),
    "valid": ("valid", "validation", "val", "dev", "development", "eval"),
    "test": ("test", "testing", "held-out", "held_out"),
}
SPLIT_NAMES: Mapping[str, str] = {word: split for split, words in SYNONYMS.items() for word in words}


def split_named(cell: str) -> str | None:
    """The split that a cell names: "train", "valid", "test", or None; capitals and spaces do not matter.

    Example:
        >>> split_named(" Dev"), split_named("fold 3")
        ('valid', None)
    """
    return SPLIT_NAMES.get(cell.strip().lower())
