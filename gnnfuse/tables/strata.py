"""Strata, which splits divide evenly: classes or their substitutes."""

import numpy as np
from jaxtyping import Int64

from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import TableTarget


def strata(table: Table, target: TableTarget | None) -> tuple[Int64[np.ndarray, "rows"], Int64[np.ndarray, "missing"]]:
    """The stratum of each row (`TableTarget.strata`), and the rows that have no target."""
    if target is None:
        return np.zeros(len(table), dtype=np.int64), np.zeros(0, dtype=np.int64)
    columns: dict[str, list[Cell]] = {name: table.column(name) for name in target.columns}
    found = [_read(target, {name: cells[row] for name, cells in columns.items()}) for row in range(len(table))]
    missing = np.array([row for row, value in enumerate(found) if value is None], dtype=np.int64)
    return target.strata(found), missing


def _read(target: TableTarget, cells: dict[str, Cell]) -> object:
    try:
        return target.read(cells)
    except CellError:
        return float("nan")
