"""Words that stand for an empty cell."""

from collections.abc import Sequence
from dataclasses import dataclass

WORDS = frozenset(  # as in pandas.read_csv
    {
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
        *("NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Blanks:
    """Which words stand for an empty cell, and in which columns.

    Args:
        words: the words, without surrounding spaces; by default those of `pandas.read_csv`.
        everywhere: in all columns; otherwise only in columns of numbers and targets, since a text may be "None".
    """

    words: frozenset[str] = WORDS
    everywhere: bool = False

    @classmethod
    def of(cls, given: "Sequence[str] | Blanks | None") -> "Blanks":
        """The default words if none are given; given words replace them and apply to all columns.

        Example:
            >>> Blanks.of(["-", ""]) == Blanks(words=frozenset({"-"}), everywhere=True)
            True
        """
        if isinstance(given, Blanks):
            return given
        if given is None:
            return cls()
        words = (given,) if isinstance(given, str) else given
        return cls(words=frozenset(filter(None, map(str.strip, words))), everywhere=True)
