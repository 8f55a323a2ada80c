"""The contents of a target column, for choosing its kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import Entries, listed
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.literal_list import literal_list

HALF = 0.5  # share of cells that must spell out lists; the others are then damaged


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetColumn:
    """Some cells of one target column.

    Args:
        table: its name.
        name: of the column.
        cells: the cells examined, none of them empty.
        separator: between several labels in a cell, if given.
        declared: the source declares the column to hold classes.
        literal: the cells were texts that spell out lists.

    Example:
        >>> column = TargetColumn(table="a.csv", name="y", cells=["['red', 'big']", "[]"])
        >>> column.lists, column.spelt_out().lists
        (None, [['red', 'big'], []])
    """

    table: str
    name: str
    cells: Sequence[Cell]
    separator: str | None = None
    declared: bool = False
    literal: bool = False

    def spelt_out(self) -> "TargetColumn":
        """The column with spelled-out lists replaced by lists, if most cells spell one and no separator is given."""
        if self.separator is not None:
            return self
        spelt = [literal_list(cell) if isinstance(cell, str) else None for cell in self.cells]
        lists = [found for found in spelt if found is not None]
        return replace(self, cells=lists, literal=True) if len(lists) >= HALF * len(self.cells) else self

    @cached_property
    def lists(self) -> list[Entries] | None:
        """The cells as lists; None if any cell is no list."""
        found = [entries for cell in self.cells if (entries := listed(cell)) is not None]
        return found if len(found) == len(self.cells) else None

    @property
    def where(self) -> str:
        """Names the column in messages."""
        return f"table {self.table}, column {self.name!r}"

    @property
    def example(self) -> str:
        """A non-empty list, for messages about lists."""
        return next((shown(entries, 80) for entries in self.lists or () if len(entries)), "[]")
