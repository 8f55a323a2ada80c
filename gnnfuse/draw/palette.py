"""Colours and line styles that colour-blind readers can distinguish.

Colours: Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/, without the yellow, which
vanishes on white; the first ones differ most.
"""

from collections.abc import Sequence
from typing import Literal

from gnnfuse.edges import Relation

INK, GREY, FAINT = "#22262b", "#6b7480", "#c9ced6"
FILL = "#e8edf4"
FONT, MONOSPACE = "DejaVu Sans", "DejaVu Sans Mono"  # both come with matplotlib: the same picture everywhere
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
Dashes = Literal["solid"] | tuple[float, tuple[float, ...]]
STYLES: tuple[Dashes, ...] = ("solid", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.4, 1.2, 1.4)))


def looks(relations: Sequence[Relation]) -> dict[Relation, tuple[str, Dashes]]:
    """Each relation's colour and dashes.

    A rule has one colour. Relations between the same two types, in either direction, differ in their dashes, so none
    of them depends on colour alone.

    Example:
        >>> there, back = Relation("audio", "aligned", "text"), Relation("text", "aligned", "audio")
        >>> found = looks([there, back])
        >>> found[there][0] == found[back][0], found[there][1] == found[back][1]
        (True, False)
    """
    rules = sorted({relation.rule for relation in relations})
    taken: dict[frozenset[str], set[int]] = {}
    found = {}
    for number, rule in enumerate(rules):
        of_rule = [relation for relation in relations if relation.rule == rule]
        pairs = {relation: frozenset((relation.src, relation.dst)) for relation in of_rule}
        usual = _free(set().union(*(taken.get(pair, set()) for pair in pairs.values())))
        for relation, pair in pairs.items():
            used = taken.setdefault(pair, set())
            style = _free(used) if usual in used else usual
            used.add(style)
            found[relation] = (COLORS[number % len(COLORS)], STYLES[style % len(STYLES)])
    return found


def _free(taken: set[int]) -> int:
    return next(number for number in range(len(taken) + 1) if number not in taken)
