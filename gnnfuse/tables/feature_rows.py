"""The columns of numbers of some rows as one matrix."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.table import Cells, Table

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class FeatureRow:
    """The numbers of one row.

    Args:
        values: `[1, columns]`; NaN where a cell is empty or no number.
        strange: (column, cell) of the filled cells that are no numbers, in column order.
    """

    values: Float64[np.ndarray, "1 columns"]
    strange: tuple[tuple[str, Cell], ...] = ()

    @classmethod
    def of_cells(cls, cells: Cells, names: Iterable[str]) -> "FeatureRow":
        """The numbers in some cells of one row."""
        found = [(name, cell, None if cell is None else number_in(cell)) for name in names for cell in (cells[name],)]
        known = [number if number is not None and abs(number) <= LARGEST else np.nan for _, _, number in found]
        strange = [(name, cell) for (name, cell, _), n in zip(found, known, strict=True) if cell is not None and n != n]
        return cls(np.array([known], dtype=np.float64), tuple(strange))


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The numbers of some rows.

    Args:
        values: `[rows, columns]`; NaN where a cell is empty or no number.
        strange: row -> (column, cell) of its filled cells that are no numbers, in column order.
    """

    values: Float64[np.ndarray, "rows columns"]
    strange: Mapping[int, tuple[tuple[str, Cell], ...]]

    @classmethod
    def read(cls, table: Table, rows: "pa.Table", names: tuple[str, ...]) -> "FeatureRows":
        """Some columns of some of a table's rows.

        Args:
            table: defines what cells mean.
            rows: its rows, with these columns in this order.
            names: the columns.

        Example:
            >>> from gnnfuse.tables import open_table
            >>> table = open_table([{"age": "7", "size": 1.5}, {"age": "old", "size": None}])
            >>> found = FeatureRows.read(table, table.rows.columns(["age", "size"]), ("age", "size"))
            >>> found.values.tolist(), found.strange
            ([[7.0, 1.5], [nan, nan]], {1: (('age', 'old'),)})
        """
        values = np.empty((len(rows), len(names)))
        strange: dict[int, tuple[tuple[str, Cell], ...]] = {}
        for place, (name, column) in enumerate(zip(names, rows.columns, strict=True)):
            found = table.numbers(name, column, largest=LARGEST)
            values[:, place] = found.values
            for row, cell in found.strange.items():
                strange[row] = (*strange.get(row, ()), (name, cell))
        return cls(values, strange)

    def row(self, place: int) -> FeatureRow:
        """One of the rows, sharing memory."""
        return FeatureRow(self.values[place : place + 1], self.strange.get(place, ()))
