"""Users' names in figures: never parsed, shortened where they are long, in fonts that have their letters."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from gnnfuse.draw.palette import FONT

MOST = 40  # letters of a name
MOST_FONTS = 300  # opened in search of letters
PLACEHOLDERS = "Last Resort"  # comes with matplotlib and has a box in place of every letter
NEVER = ("Cc", "Cn", "Cs")  # controls, unassigned code points, surrogates: never drawn, even if a font has them
LETTER = 0.62  # the width of an average letter, in sizes of the font
NAMED = 8  # letters in a note


@dataclass(frozen=True)
class Lettering:
    """The fonts for some texts, and the letters that none of them has.

    Args:
        families: of fonts, in order of preference.
        missing: letters that no installed font has; they are replaced by their code points.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    def name(self, text: str, most: int = MOST) -> str:
        """A name on one line, shortened in the middle where it is long.

        Example:
            >>> lettering([]).name("a name  that\\nis much too long to be drawn", most=16)
            'a name tha…drawn'
        """
        return self.text(" ".join(_shortened(text, 8 * most).split()), most)  # bounds the work for a name of any length

    def text(self, words: str, most: int) -> str:
        """A text with its line breaks, shortened in the middle where it is long."""
        return _shortened("".join(self._pieces(_shortened(words, 8 * most))), most)

    def names(self, texts: Sequence[str], most: int = MOST) -> list[str]:
        """Shortened names that stay distinct: equal ones are numbered by their place.

        Example:
            >>> lettering([]).names(["a" * 50 + "b" * 50, "a" * 60 + "b" * 50, "c"], most=9)
            ['aaaaa…bbb #1', 'aaaaa…bbb #2', 'c']
        """
        shown = [self.name(text, most) for text in texts]
        often = Counter(shown)
        return [f"{name} #{place}" if often[name] > 1 else name for place, name in enumerate(shown, 1)]

    def set(self, figure: Figure) -> None:
        """Use the fonts for every text of a figure, and parse no text as a formula or as TeX."""
        numbers = _numbers_on_axes(figure)
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_fontfamily(list(self.families))
            text.set_usetex(False)
            if id(text) not in numbers:
                text.set_parse_math(False)

    def _pieces(self, line: str) -> Iterable[str]:
        """The letters, with each run that no font has replaced by its code points."""
        codes: list[str] = []
        for letter in [*line, ""]:
            if letter and letter in self.missing:
                codes += [] if _unseen(letter) else [f"{ord(letter):X}"]
                continue
            if codes:
                yield f"<{' '.join(codes)}>"
                codes = []
            yield letter


def lettering(texts: Iterable[str], family: str = FONT) -> Lettering:
    """Find fonts with the letters of some texts: the default one first, then the installed ones.

    Example:
        >>> lettering(["naïve", "Straße"])
        Lettering(families=('DejaVu Sans',), missing=frozenset())
    """
    wanted = {letter for text in texts for letter in text if not letter.isspace()}
    wanted -= _letters(findfont(FontProperties(family=family)))
    return _found(family, frozenset(wanted))


def missing_note(missing: Iterable[str]) -> str | None:
    """One line on the letters that no font has; None where there are none.

    Example:
        >>> missing_note({"中"})
        'no installed font has 1 letter of the names in plots (U+4E2D): it is shown by its code point'
    """
    codes = [f"U+{ord(letter):04X}" for letter in sorted(missing) if not _unseen(letter)]
    if not codes:
        return None
    shown = ", ".join(codes[:NAMED]) + (", ..." if len(codes) > NAMED else "")
    letters, they = ("1 letter", "it is shown by its code point") if len(codes) == 1 else (
        f"{len(codes)} letters", "they are shown by their code points"
    )  # fmt: skip
    return f"no installed font has {letters} of the names in plots ({shown}): {they}"


def inches(text: str, size: float) -> float:
    """The approximate width of a text at a font size in points.

    Example:
        >>> round(inches("中a", 10), 2)
        0.26
    """
    wide = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return wide * LETTER * size / 72


@lru_cache(maxsize=64)
def _found(family: str, wanted: frozenset[str]) -> Lettering:
    never = {letter for letter in wanted if unicodedata.category(letter) in NEVER}
    families, left = [family], set(wanted) - never
    for path, name in _installed() if left else ():
        if found := left & _letters(path):
            families.append(name)
            left -= found
        if not left:
            break
    return Lettering(tuple(families), frozenset(left | never))


@lru_cache(maxsize=1)
def _installed() -> tuple[tuple[str, str], ...]:
    """The path and name of one upright, regular font of each family."""
    found: dict[str, str] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.style != "normal", abs(_weight(entry.weight)))):
        if not entry.name.startswith(PLACEHOLDERS):
            found.setdefault(entry.name, entry.fname)
    return tuple((path, name) for name, path in found.items())[:MOST_FONTS]


def _weight(weight: object) -> int:
    """The difference of a weight from a regular one's."""
    return weight - 400 if isinstance(weight, int) else 0 if weight in ("normal", "regular", "book") else 300


@lru_cache(maxsize=MOST_FONTS)
def _letters(path: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # colour emoji are bitmaps: matplotlib opens outline fonts only
        return frozenset()


def _shortened(text: str, most: int) -> str:
    tail = most // 3
    return text if len(text) <= most else f"{text[: most - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def _unseen(letter: str) -> bool:
    """Whether a letter only joins or varies others, as in emoji."""
    return unicodedata.category(letter) == "Cf" or "\ufe00" <= letter <= "\ufe0f"


def _numbers_on_axes(figure: Figure) -> set[int]:
    """Ids of tick labels that matplotlib makes itself, on a logarithmic axis as formulas."""
    found: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
                found |= {id(text) for text in (*axis.get_ticklabels(which="both"), axis.get_offset_text())}
    return found
