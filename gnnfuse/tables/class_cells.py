"""Targets that are one class out of several."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse.sample.class_name import class_name
from gnnfuse.sample.multi_hot import truth
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import TableError
from gnnfuse.tables.table_target import TableTarget, strata_by_name
from gnnfuse.tables.target_column import TargetColumn


@dataclass(frozen=True, kw_only=True)
class ClassCells(TableTarget):
    """A class in each row's cell.

    Args:
        spelling: the class names for false and true, however a cell spells them; None for other classes.

    Example:
        >>> ClassCells(columns=("species",)).read({"species": " cat "})
        'cat'
    """

    kind = "classification"
    strata_are_classes = True

    spelling: tuple[str, str] | None = None

    @classmethod
    def asked(cls, column: TargetColumn) -> "ClassCells":
        """Classes, unless the cells are lists."""
        if column.lists is not None:
            raise TableError(f"{column.where}: found lists such as {column.example}, expected one class in each row")
        return cls.of(column, "given")

    @classmethod
    def asked_of(cls, table: str, names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> "ClassCells":
        """Always refused: a class is in one column."""
        raise TableError(f"{cls.kind} has one target column, found {len(names)}: {', '.join(names)}")

    @classmethod
    def of(cls, column: TargetColumn, reason: str) -> "ClassCells":
        """Classes in a column, with the reason for the choice."""
        return cls(columns=(column.name,), spelling=spelling(column.cells), reason=reason)

    def value(self, found: Sequence[Cell]) -> str:
        """The class's name."""
        [cell] = found
        true = None if self.spelling is None else truth(cell)
        if self.spelling is None or true is None:
            return self._name(cell, cell, "one class")
        return self.spelling[int(true)]

    def strata(self, found: Sequence[object]) -> Int64[np.ndarray, "rows"]:
        """Classes by name."""
        return strata_by_name(found)

    def lacking(self, counts: Mapping[str, int]) -> str | None:
        """Two classes."""
        if len(counts) >= 2:
            return None
        found = ", ".join(map(repr, counts)) or "none"
        return f"found {len(counts)} class ({found}) in the training rows, expected at least two"


def spelling(cells: Sequence[Cell]) -> tuple[str, str] | None:
    """The names of false and true, as most cells spell them; None if the column holds anything but truth values.

    Example:
        >>> spelling(["TRUE", "TRUE", "false", 1]), spelling(["TRUE", "2"]), spelling([0, 1])
        (('FALSE', 'TRUE'), None, None)
    """
    if any(truth(cell) is None for cell in cells):
        return None
    words = Counter(name for cell in cells if (name := class_name(cell)) not in ("0", "1"))
    if not words:
        return None
    [(most, _)] = words.most_common(1)
    style = next((style for style in (str.lower, str.capitalize, str.upper) if style(most) == most), str.lower)
    return style("false"), style("true")
