"""Targets that are one number or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import listed
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.table_target import TableTarget
from gnnfuse.tables.target_column import TargetColumn

RANGES = 10  # digits of a number


@dataclass(frozen=True, kw_only=True)
class NumberCells(TableTarget):
    """One number per row, or a vector of them: in a list in one cell, or in a column each.

    Example:
        >>> NumberCells(columns=("x", "y")).read({"x": 1, "y": "2.5"})
        (1.0, 2.5)
    """

    kind = "regression"
    named = False

    @classmethod
    def asked(cls, column: TargetColumn) -> "NumberCells":
        """Numbers, or lists of them."""
        return cls.of(column.spelt_out(), "given")

    @classmethod
    def asked_of(cls, table: str, names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> "NumberCells":
        """A vector of numbers."""
        return cls(columns=names)

    @classmethod
    def of(cls, column: TargetColumn, reason: str) -> "NumberCells":
        """Numbers in a column, with the reason for the choice."""
        return cls(columns=(column.name,), literal=column.literal, reason=reason)

    def value(self, found: Sequence[Cell]) -> float | tuple[float, ...]:
        """The number, or a tuple of several."""
        if len(self.columns) == 1 and listed(found[0]) is not None:
            return tuple(self._number(item, self.columns[0]) for item in np.asarray(found[0]).reshape(-1).tolist())
        numbers = tuple(self._number(cell, name) for cell, name in zip(found, self.columns, strict=True))
        return numbers[0] if len(numbers) == 1 else numbers

    def strata(self, found: Sequence[object]) -> Int64[np.ndarray, "rows"]:
        """Ten equally populated ranges of the first number."""
        first = [value[0] if isinstance(value, tuple) and value else value for value in found]
        numbers = np.array([number if isinstance(number, float) else np.nan for number in first])
        readable = np.isfinite(numbers)
        if not readable.any():
            return np.full(len(numbers), -1, dtype=np.int64)
        edges = np.unique(np.quantile(numbers[readable], np.linspace(0, 1, RANGES + 1)[1:-1]))
        return np.where(readable, np.searchsorted(edges, numbers, side="right"), -1).astype(np.int64)

    def lacking(self, counts: Mapping[str, int]) -> None:
        """Nothing."""

    def _number(self, cell: Cell, name: str) -> float:
        found = number_in(cell)
        if found is None:
            raise CellError(name, shown(cell, 80), "a finite number as target")
        return found
