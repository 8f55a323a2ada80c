"""The separator between several labels in a cell."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from gnnfuse.sample.multi_hot import multi_hot_width

SURE, USUAL, RARE = ("|",), (";", ","), ("/", "+", "&", "\n", "\t", " ")
AGAIN = 1.5  # different cells that a label occurs in, on average
FIRST = 0.8  # share of the labels in cells that also come first in some cell
WORDS = 3  # of a label, on average; with more it is a phrase
NUMBER = re.compile(r"[+-]?\d+(,\d+|(,\d{3})+)?(\.\d+)?")  # with a decimal comma, or commas between thousands


def labels_in(text: str, separator: str) -> list[str]:
    """The labels between separators, without surrounding spaces; empty ones are left out.

    Example:
        >>> labels_in(" red | round|", "|")
        ['red', 'round']
    """
    return [part.strip() for part in text.split(separator) if part.strip()]


def find_separator(cells: Iterable[object], *, asked: bool = False) -> str | None:
    """The separator of labels in texts; None if there is none, or it is not certain.

    It splits all cells into multi-hot lists ("0|1|0" or "0 1 0"), or into labels that recur in other cells. That is
    enough for "|"; for ";" and "," the labels must also be short, most must come first in some cell ("Paris, France"
    and "agree, strongly" are names, as "France" and "strongly" never do), and not all cells may be numbers.

    Args:
        cells: some cells of the column; those that are no texts are ignored.
        asked: the cells are known to hold labels: ";" and "," are found as "|" is ("|" and ";" even if no label
            recurs), and more separators are tried: "/", "+", "&", tabs, line ends and spaces.

    Example:
        >>> find_separator(["red;round", "red", "round;big", "big;red"])
        ';'
        >>> find_separator(["Lyon, France", "Paris, France"]) is None
        True
    """
    texts = sorted({cell.strip() for cell in cells if isinstance(cell, str)})
    if not asked and all(NUMBER.fullmatch(text) for text in texts):
        return None
    known = (*SURE, *USUAL, *RARE)
    for separator in known if asked else (*SURE, *USUAL, " "):
        held = any(separator in text for text in texts)
        if held and multi_hot_width(labels_in(text, separator) for text in texts):
            return separator
    for separator in known if asked else (*SURE, *USUAL):
        plain = separator in SURE or (asked and separator in USUAL)
        if _recurs(texts, separator) and (plain or _are_labels(texts, separator)):
            return separator
    certain = [separator for separator in ("|", ";") if asked and any(separator in text for text in texts)]
    return certain[0] if certain else None


def _recurs(texts: Sequence[str], separator: str) -> bool:
    """Whether labels recur in other combinations, each in one and a half different ones on average."""
    parts = Counter(part for text in texts for part in labels_in(text, separator))
    return any(separator in text for text in texts) and parts.total() >= AGAIN * len(parts)


def _are_labels(texts: Sequence[str], separator: str) -> bool:
    """Whether labels are short, and most of them also come first in some cell."""
    cells = [labels_in(text, separator) for text in texts]
    parts = [part for cell in cells for part in cell]
    first = {cell[0] for cell in cells if cell}
    words = sum(len(part.split()) for part in parts)
    return words <= WORDS * len(parts) and sum(part in first for part in parts) >= FIRST * len(parts)
