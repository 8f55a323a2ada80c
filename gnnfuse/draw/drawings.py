"""Draw several plots into a folder; one that fails affects no other."""

from collections.abc import Callable, Mapping
from pathlib import Path

from gnnfuse.draw.lettering import missing_note
from gnnfuse.sample.whole_file import replacing

Drawing = tuple[str, Callable[[Path], frozenset[str]]]
"""What a plot shows, and a function that writes it into a file and returns the letters that no font has."""


def draw_all(drawings: Mapping[str, Drawing], folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Draw every plot that can be drawn.

    Args:
        drawings: by file name.
        folder: where.

    Returns:
        What each finished plot shows, by file name; and notes on plots that failed and on missing letters.

    Example:
        >>> def fails(path):
        ...     raise RuntimeError("no canvas")
        >>> draw_all({"curves.png": ("Losses", fails)}, Path("."))
        ({}, ('curves.png could not be drawn: RuntimeError: no canvas',))
    """
    plots, notes, missing = {}, [], frozenset[str]()
    for name, (what, draw) in drawings.items():
        try:
            with replacing(folder / name) as path:
                missing |= draw(path)
            plots[name] = what
        except Exception as error:  # a plotting library may raise anything, and the numbers are already written
            notes.append(f"{name} could not be drawn: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    note = missing_note(missing)
    return plots, (*notes, note) if note else tuple(notes)
