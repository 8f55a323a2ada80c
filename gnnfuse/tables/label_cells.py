"""Targets that are any number of labels at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse.sample.class_name import missing
from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import Entries, listed, multi_hot_width, truth, truths
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError, TableError
from gnnfuse.tables.separators import find_separator, labels_in
from gnnfuse.tables.table_target import TableTarget, strata_by_name
from gnnfuse.tables.target_column import TargetColumn


@dataclass(frozen=True, kw_only=True)
class LabelCells(TableTarget):
    """Labels in each row: names in one cell, or a 0 or 1 per label, in a list in one cell or in a column each.

    Args:
        separator: between the labels in a cell; None where cells are lists.

    Example:
        >>> LabelCells(columns=("tags",), separator="|").read({"tags": "red | round"})
        ('red', 'round')
        >>> columns = ("toxic", "rude")
        >>> LabelCells(columns=columns, labels=columns).read({"toxic": 0, "rude": "1"})
        ('rude',)
    """

    kind = "multilabel"
    separated = True

    separator: str | None = None

    @classmethod
    def asked(cls, column: TargetColumn) -> "LabelCells":
        """Labels in lists, separated ones, or one label where all cells are 0 or 1."""
        column = column.spelt_out()
        if column.lists is not None:
            return cls.multi_hot(column) or cls.of(column, "given")
        if column.separator is not None:
            return cls.given_separator(column, column.separator)
        if all(truth(cell) is not None for cell in column.cells):
            reason = f"given; column {column.name} holds nothing but 0 and 1: it is one label"
            return cls.of(column, reason, labels=(column.name,))
        separator = find_separator(column.cells, asked=True)
        if separator is None:
            raise TableError(
                f"{column.where}: found no separator between labels in cells such as {shown(column.cells[0], 80)}; "
                "name it with --separator (separator=); any will do if no row has several labels"
            )
        return cls.separated_by(column, separator, f"given; its labels are separated by {separator!r}")

    @classmethod
    def asked_of(cls, table: str, names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> "LabelCells":
        """A label for each column; all cells are 0 or 1."""
        if (odd := no_truth(names, rows)) is not None:
            name, cell = odd
            raise TableError(
                f"table {table}, column {name!r}: found {shown(cell, 80)}, expected 0 or 1 (or true or false): several "
                f"target columns ({', '.join(names)}) are one label each; name one column if its cells hold the labels"
            )
        reason = f"given; columns {', '.join(names)} hold nothing but 0 and 1: each is a label"
        return LabelCells(columns=names, labels=names, reason=reason)

    @classmethod
    def of(
        cls, column: TargetColumn, reason: str, *, labels: tuple[str, ...] = (), separator: str | None = None
    ) -> "LabelCells":
        """Labels in a column, with the reason for the choice."""
        return LabelCells(
            columns=(column.name,), literal=column.literal, labels=labels, separator=separator, reason=reason
        )

    @classmethod
    def multi_hot(cls, column: TargetColumn) -> "LabelCells | None":
        """Labels by position in 0/1 lists of equal length; None for other lists.

        Raises:
            TableError: lists of lists.
        """
        lists = column.lists or []
        if any(listed(entry) is not None for entries in lists for entry in entries[:1]):
            raise TableError(
                f"{column.where}: found lists of lists, such as {column.example}, expected lists of names, or numbers "
                "with --kind regression (kind=)"
            )
        width = multi_hot_width(lists)
        reason = f"column {column.name} holds lists of {width} that are 0 or 1: each place is a label"
        return cls.of(column, reason, labels=_places(column, width)) if width else None

    @classmethod
    def given_separator(cls, column: TargetColumn, separator: str) -> "LabelCells":
        """Labels separated by a given separator.

        Raises:
            TableError: no cell holds it, and another one is certain.
        """
        return cls.separated_by(column, separator, f"labels separated by {separator!r}, {_fit(column, separator)}")

    @classmethod
    def separated_by(cls, column: TargetColumn, separator: str, reason: str) -> "LabelCells":
        """Labels separated by a separator, with the reason for the choice."""
        cells = column.cells
        width = multi_hot_width(labels_in(cell, separator) if isinstance(cell, str) else [cell] for cell in cells)
        return cls.of(column, reason, separator=separator, labels=_places(column, width))

    @property
    def empty(self) -> tuple[str, ...] | None:
        """No labels, if the cell would name them."""
        return None if self.labels else ()

    def value(self, found: Sequence[Cell]) -> tuple[str, ...] | None:
        """The names of the labels that the row has; None where one is unknown."""
        return self._by_place(found) if self.labels else self._by_name(found[0])

    def strata(self, found: Sequence[object]) -> Int64[np.ndarray, "rows"]:
        """Each row's rarest label; ties go to the first by name."""
        counts = Counter(label for labels in found if isinstance(labels, tuple) for label in labels)
        return strata_by_name([_rarest(labels, counts) if isinstance(labels, tuple) else None for labels in found])

    def lacking(self, counts: Mapping[str, int]) -> str | None:
        """A label."""
        return None if counts else "found no label in any of the training rows, expected at least one"

    def _by_name(self, cell: Cell) -> tuple[str, ...] | None:
        items = self._entries(cell)
        known = [item for item in items if not missing(item)]
        if len(items) and not known:
            return None
        return tuple(dict.fromkeys(self._name(item, cell, "a list of names") for item in known))

    def _by_place(self, found: Sequence[Cell]) -> tuple[str, ...] | None:
        several = len(self.columns) > 1
        ones = truths(list(found) if several else self._entries(found[0]))
        if several and ones is None and (odd := no_truth(self.columns, [tuple(found)])) is not None:
            name, cell = odd
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


def no_truth(names: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> tuple[str, Cell] | None:
    """The column and cell of the first cell that is not 0, 1, true or false; None if there is none.

    Example:
        >>> no_truth(["a", "b"], [(0, "1"), (True, "yes")]), no_truth(["a"], [(0,)])
        (('b', 'yes'), None)
    """
    cells = ((name, cell) for row in rows for name, cell in zip(names, row, strict=True))
    return next(((name, cell) for name, cell in cells if truth(cell) is None), None)


def _places(column: TargetColumn, width: int) -> tuple[str, ...]:
    return tuple(f"{column.name}[{place}]" for place in range(width))


def _rarest(labels: tuple[str, ...], counts: "Counter[str]") -> str:
    return min(labels, key=lambda label: (counts[label], label), default="")


def _fit(column: TargetColumn, separator: str) -> str:
    """Describe how a given separator fits the cells."""
    if any(isinstance(cell, str) and separator in cell for cell in column.cells):
        return "as given"
    other = find_separator(column.cells)
    if other is not None:
        raise TableError(
            f"{column.where}: found no cell with the separator {separator!r}, but labels separated by "
            f"{other!r}; name that one with --separator (separator=)"
        )
    other = find_separator(column.cells, asked=True)
    return "as given, though no cell holds it" + ("" if other is None else f"; they may be separated by {other!r}")
