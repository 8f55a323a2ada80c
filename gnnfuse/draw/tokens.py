"""Texts: tokens in boxes along lines, without breaks inside words."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from torch import Tensor

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.drawer import Drawer, Drawn, Facing, View
from gnnfuse.draw.palette import FAINT, FILL, GREY, INK, MONOSPACE
from gnnfuse.draw.strip import TITLE, far_title
from gnnfuse.nodes.token_grams import ABSENT

LETTER, PADDING, BYTE, HEIGHT, BAND = 0.085, 0.11, 0.13, 0.27, 0.26  # inches
SIGNS = {" ": "\N{OPEN BOX}", "\n": "\N{RETURN SYMBOL}", "\t": "\N{RIGHTWARDS ARROW TO BAR}"}


@runtime_checkable
class ReadsTokens(Protocol):
    """A node type that gives the text of its tokens."""

    def token_texts(self, ids: Tensor) -> list[str]:
        """The text of each token."""
        ...


@dataclass(frozen=True)
class Token:
    """One box: its text, whether it begins a character of several boxes, and its width in inches."""

    text: str
    span: int
    width: float


class Tokens(Drawer):
    """Draws nodes of types that give the text of their tokens."""

    def accepts(self, view: View) -> bool:
        """Whether the type has `token_texts`."""
        return isinstance(view.node_type, ReadsTokens) and not view.nodes.values.is_floating_point()

    def height(self, view: View, width: float) -> float:
        """The height of the lines that the boxes fill."""
        return TITLE + (HEIGHT + BAND) * len(_lines(_tokens(view), width))

    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Boxes row by row; spaces are visible, and a character of several bytes spans their boxes."""
        far_title(canvas, view, box, facing)
        tokens = _tokens(view)
        lines = _lines(tokens, box.width)
        longest = max(sum(token.width for token in line) for line in lines)
        scale = min(1.9, box.width / longest)
        points = []
        top = box.top - (TITLE + BAND if facing == "down" else 0.0)
        for number, line in enumerate(lines):
            bottom = top - HEIGHT - number * (HEIGHT + BAND)
            x = box.left + (box.width - scale * sum(token.width for token in line)) / 2
            for index, token in enumerate(line):
                points.append((x + scale * token.width / 2, bottom + HEIGHT / 2))
                self._box(canvas, token, x, bottom, scale, sum(t.width for t in line[index : index + token.span]))
                x += scale * token.width
        return Drawn(np.array(points), bulge=(0.0, 1.0 if facing == "down" else -1.0), band=BAND, border=HEIGHT / 2)

    def _box(self, canvas: Canvas, token: Token, x: float, bottom: float, scale: float, span: float) -> None:
        blank = not token.text.strip() and token.span == 1
        canvas.marks.add_patch(
            Rectangle(
                (x, bottom),
                scale * token.width,
                HEIGHT,
                facecolor="white" if blank else FILL,
                edgecolor=FAINT if blank else GREY,
                linewidth=0.8,
                zorder=2 if blank else 3,
            )
        )
        if token.span:
            shown = _readable(token.text)
            size = min(12.0, 8.5 * scale**0.5)
            canvas.text(
                x + scale * span / 2,
                bottom + HEIGHT / 2,
                shown,
                size=size if shown == token.text or blank else 6.0,
                color=GREY if blank else INK,
                align="center",
                family=MONOSPACE,
            )


def _tokens(view: View) -> list[Token]:
    assert isinstance(view.node_type, ReadsTokens)
    ids, read = view.nodes.values, view.node_type.token_texts
    texts = read(ids) if ids.ndim == 1 else [_joined(read(row[row != ABSENT])) for row in ids]
    characters = _characters(texts)
    if characters is None:
        return [Token(text, 1, PADDING + LETTER * max(1, len(text))) for text in texts]
    return [Token(text, span, PADDING + LETTER if span == 1 else BYTE) for text, span in characters]


def _joined(texts: list[str]) -> str:
    """Several tokens of one node, read as one text."""
    characters = _characters(texts)
    return "".join(texts if characters is None else [text for text, _ in characters])


def _characters(texts: list[str]) -> list[tuple[str, int]] | None:
    """For bytes: the character of each box and the number of boxes it spans; None if the tokens are not UTF-8 bytes."""
    if any(len(text) != 1 or ord(text) > 255 for text in texts):
        return None
    found: list[tuple[str, int]] = []
    for character in bytes(map(ord, texts)).decode("utf-8", errors="surrogateescape"):
        size = 1 if "\ud800" <= character <= "\udfff" else len(character.encode())
        found += [(character, size), *[("", 0)] * (size - 1)]
    return found if len(found) == len(texts) else None


def _lines(tokens: list[Token], width: float) -> list[list[Token]]:
    lines: list[list[Token]] = [[]]
    room = width
    for word in _words(tokens):
        needed = sum(token.width for token in word)
        if needed > room and lines[-1] and needed <= width:
            lines.append([])
            room = width
        for token in word:
            if token.width > room and lines[-1] and token.span:
                lines.append([])
                room = width
            lines[-1].append(token)
            room -= token.width
    return lines


def _words(tokens: list[Token]) -> list[list[Token]]:
    words: list[list[Token]] = [[]]
    for token in tokens:
        if words[-1] and token.text[:1].isspace():
            words.append([])
        words[-1].append(token)
        if token.text.isspace():
            words.append([])
    return [word for word in words if word]


def _readable(text: str) -> str:
    known = get_font(findfont(FontProperties(family=MONOSPACE))).get_charmap()
    if text.isspace() or not text.strip():
        return "".join(SIGNS.get(letter, f"{ord(letter):02X}") for letter in text)
    shown = (SIGNS.get(t, t) if t in SIGNS or (t.isprintable() and ord(t) in known) else _code(t) for t in text)
    return "".join(shown)


def _code(letter: str) -> str:
    number = ord(letter)
    return f"{number - 0xDC00:02X}" if 0xDC80 <= number <= 0xDCFF else f"{number:02X}"
