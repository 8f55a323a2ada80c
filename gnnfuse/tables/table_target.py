"""How a row's target is read: the interface of all kinds of target."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from gnnfuse.fit_defaults import Kind
from gnnfuse.sample.class_name import class_name
from gnnfuse.sample.files import shown
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError
from gnnfuse.tables.literal_list import literal_list
from gnnfuse.tables.table import Cells
from gnnfuse.tables.target_column import TargetColumn


@dataclass(frozen=True, kw_only=True)
class TableTarget(ABC):
    """How a row's target is read, and everything its kind determines before there is a model.

    A kind is one class: `ClassCells`, `LabelCells`, `NumberCells`. `gnnfuse.tables.target_kind.KINDS` lists them;
    `gnnfuse.workflow.targets` makes the tasks.

    Args:
        columns: its columns; several for a vector of numbers, or for labels with a column each.
        literal: cells are texts that spell out lists (`literal_list`).
        reason: why this kind was chosen, in words.

    Attributes:
        kind: its name on the command line and in results.json.
        named: whether targets are names of classes or labels.
        separated: whether a separator may divide several names in a cell.
        strata_are_classes: whether each stratum is one class, all of which training must have.
        labels: names of labels that are given by a 0 or 1 at their position; empty if cells hold names or numbers.
    """

    kind: ClassVar[Kind]
    named: ClassVar[bool] = True
    separated: ClassVar[bool] = False
    strata_are_classes: ClassVar[bool] = False

    columns: tuple[str, ...]
    labels: tuple[str, ...] = ()
    literal: bool = False
    reason: str = "given"

    @classmethod
    @abstractmethod
    def asked(cls, column: TargetColumn) -> "TableTarget":
        """The target in one column when this kind is requested.

        Raises:
            TableError: the cells do not fit this kind.
        """

    @classmethod
    @abstractmethod
    def asked_of(cls, table: str, names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> "TableTarget":
        """The target in several columns when this kind is requested.

        Args:
            table: its name.
            names: of the columns.
            rows: their cells, none of them empty.

        Raises:
            TableError: the cells do not fit this kind, or it allows one column only.
        """

    @abstractmethod
    def value(self, found: Sequence[Cell]) -> object:
        """The target in a row's cells, one for each column, none of them empty.

        Raises:
            CellError: as `read`.
        """

    @abstractmethod
    def strata(self, found: Sequence[object]) -> Int64[np.ndarray, "rows"]:
        """The stratum number of each target, for even splits; -1 for a target without a stratum.

        Args:
            found: targets as `read` returns them; NaN for unreadable ones.
        """

    @abstractmethod
    def lacking(self, counts: Mapping[str, int]) -> str | None:
        """The alternatives that training rows lack, in words; None if they lack nothing.

        Args:
            counts: class or label -> training rows.
        """

    def read(self, cells: Cells) -> object:
        """The target as `Sample.target` holds it. An empty cell gives None, or no labels if cells hold label names.

        A class is its name (a whole number without a fraction: "1.0" and 1 are class "1"), labels are a tuple of
        names, a number is a float, several are a tuple of floats. A label whose 0 or 1 is missing is unknown, not
        absent: then the row has no target.

        Raises:
            CellError: the cell is not the expected number, 0 or 1, or list.
        """
        found = [self._cell(cells[name], name) for name in self.columns]
        return self.empty if any(cell is None for cell in found) else self.value(found)

    @property
    def empty(self) -> object:
        """The target for an empty cell."""
        return None

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

    def _name(self, value: object, cell: Cell, expected: str) -> str:
        try:
            return class_name(value)
        except ValueError as error:
            raise CellError(self.columns[0], shown(cell, 80), expected) from error


def strata_by_name(names: Sequence[object]) -> Int64[np.ndarray, "rows"]:
    """The stratum of each name, numbered in name order; -1 for None.

    Example:
        >>> strata_by_name(["b", None, "a", "b"]).tolist()
        [1, -1, 0, 1]
    """
    places = {name: place for place, name in enumerate(sorted({str(name) for name in names if name is not None}))}
    return np.array([-1 if name is None else places[str(name)] for name in names], dtype=np.int64)
