"""Words that stand for an empty cell."""

from collections.abc import Sequence
from dataclasses import dataclass

WORDS = frozenset(  # those of pandas.read_csv
    {
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
        *("NULL", "NaN", "None", "n/a", "nan", "null"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Blanks:
    """Which words stand for an empty cell, and in which columns.

    Args:
        words: as they stand in cells, without spaces around them; those that `pandas.read_csv` knows by default.
        everywhere: in all columns; otherwise only where numbers or targets are read, as a text may well be "None".
    """

    words: frozenset[str] = WORDS
    everywhere: bool = False

    @classmethod
    def of(cls, given: "Sequence[str] | Blanks | None") -> "Blanks":
        """The usual words where none are given; those that are count in all columns, and no others do.

        Example:
            >>> Blanks.of(["-"]) == Blanks(words=frozenset({"-"}), everywhere=True)
            True
        """
        if isinstance(given, Blanks):
            return given
        words = (given,) if isinstance(given, str) else given
        return cls() if words is None else cls(words=frozenset(word.strip() for word in words), everywhere=True)
