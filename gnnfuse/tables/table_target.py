"""How a row's target is read: a class, labels or numbers."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gnnfuse.sample.class_name import class_name, missing
from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import Entries, listed, truth, truths
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError
from gnnfuse.tables.literal_list import literal_list
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.separators import labels_in
from gnnfuse.tables.table import Cells

Kind = Literal["classification", "multilabel", "regression"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class TableTarget:
    """How a row's target is read.

    Args:
        kind: "classification", "multilabel" or "regression".
        columns: where it stands; several for a vector of numbers, or for labels that have a column each.
        separator: between the labels in a cell; None where cells are lists.
        labels: names of labels that are given by a 0 or 1 at their place, in the cell's list or in a column each; empty
            where cells hold names.
        literal: cells are texts that spell out lists (`literal_list`).
        spelling: what a class of truth values is called, false and true, however a cell spells it; None for other
            classes.
        reason: why this kind, in words.

    Example:
        >>> TableTarget(kind="multilabel", columns=("tags",), separator="|").read({"tags": "red | round"})
        ('red', 'round')
        >>> columns = ("toxic", "rude")
        >>> TableTarget(kind="multilabel", columns=columns, labels=columns).read({"toxic": 0, "rude": "1"})
        ('rude',)
    """

    kind: Kind
    columns: tuple[str, ...]
    separator: str | None = None
    labels: tuple[str, ...] = ()
    literal: bool = False
    spelling: tuple[str, str] | None = None
    reason: str = "given"

    def read(self, cells: Cells) -> object:
        """The target as `Sample.target` holds it; None where a cell is empty, but no labels where it would name some.

        A class is its name (a whole number without a fraction: "1.0" and 1 are class "1"), labels are a tuple of
        names, a number is a float, several are a tuple of floats. A label whose 0 or 1 is missing is unknown, not
        absent: then the row has no target.

        Raises:
            CellError: a number, or 0 or 1, or a list is expected and something else stands there.
        """
        found = [self._cell(cells[name], name) for name in self.columns]
        if self.kind == "multilabel" and not self.labels:
            return () if found[0] is None else self._names(found[0])
        if any(cell is None for cell in found):
            return None
        if self.kind == "multilabel":
            return self._places(found)
        if self.kind == "classification":
            return self._class(found[0])
        if len(self.columns) == 1 and listed(found[0]) is not None:
            return tuple(self._number(item, self.columns[0]) for item in np.asarray(found[0]).reshape(-1).tolist())
        numbers = tuple(self._number(cell, name) for cell, name in zip(found, self.columns, strict=True))
        return numbers[0] if len(numbers) == 1 else numbers

    def lacks(self, cells: Cells) -> bool:
        """Whether a row has no target."""
        try:
            return self.read(cells) is None
        except CellError:
            return False

    def _cell(self, cell: Cell, name: str) -> Cell:
        if not self.literal or not isinstance(cell, str):
            return cell
        found = literal_list(cell)
        if found is None:
            raise CellError(name, shown(cell, 80), "a list, such as ['a', 'b']")
        return found

    def _names(self, cell: Cell) -> tuple[str, ...] | None:
        items = self._entries(cell)
        known = [item for item in items if not missing(item)]
        if len(items) and not known:
            return None
        return tuple(dict.fromkeys(self._name(item, cell, "a list of names") for item in known))

    def _places(self, found: list[Cell]) -> tuple[str, ...] | None:
        entries = found if len(self.columns) > 1 else self._entries(found[0])
        ones = truths(entries)
        if ones is None and len(self.columns) > 1:
            name, cell = next((n, c) for n, c in zip(self.columns, found, strict=True) if truth(c) is None)
            raise CellError(name, shown(cell, 80), "0 or 1, or true or false")
        if ones is None or len(ones) != len(self.labels):
            what = f"{len(self.labels)} entries that are 0 or 1" if len(self.labels) > 1 else "0 or 1, or true or false"
            raise CellError(self.columns[0], shown(found[0], 80), what)
        if np.isnan(ones).any():
            return None
        return tuple(label for label, one in zip(self.labels, ones.tolist(), strict=True) if one)

    def _entries(self, cell: Cell) -> Entries:
        items = listed(cell)
        if items is not None:
            return items
        return labels_in(cell, self.separator) if self.separator and isinstance(cell, str) else [cell]

    def _class(self, cell: Cell) -> str:
        true = None if self.spelling is None else truth(cell)
        return (
            self._name(cell, cell, "one class") if self.spelling is None or true is None else self.spelling[int(true)]
        )

    def _name(self, value: object, cell: Cell, expected: str) -> str:
        try:
            return class_name(value)
        except ValueError as error:
            raise CellError(self.columns[0], shown(cell, 80), expected) from error

    def _number(self, cell: Cell, name: str) -> float:
        found = number_in(cell)
        if found is None:
            raise CellError(name, shown(cell, 80), "a finite number as target")
        return found
