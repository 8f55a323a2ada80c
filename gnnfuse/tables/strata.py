"""What rows are shared out evenly by: their classes, or what stands for classes."""

from collections import Counter

import numpy as np
from jaxtyping import Int64

from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.error import CellError
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import TableTarget

RANGES = 10  # of a number


def strata(table: Table, target: TableTarget | None) -> tuple[Int64[np.ndarray, "rows"], Int64[np.ndarray, "missing"]]:
    """The stratum of each row, and the rows that have no target.

    Classes by name; each row's rarest label (the first by name of equally rare ones); for numbers ten ranges of equal
    counts of the first. A target that cannot be read is a stratum of its own.
    """
    if target is None:
        return np.zeros(len(table), dtype=np.int64), np.zeros(0, dtype=np.int64)
    found = _targets(table, target)
    missing = np.array([row for row, value in enumerate(found) if value is None], dtype=np.int64)
    if target.kind == "regression":
        return _ranges(found), missing
    if target.kind == "multilabel":
        counts = Counter(label for labels in found if isinstance(labels, tuple) for label in labels)
        found = [_rarest(labels, counts) if isinstance(labels, tuple) else None for labels in found]
    names = {name: place for place, name in enumerate(sorted({str(name) for name in found if name is not None}))}
    return np.array([-1 if name is None else names[str(name)] for name in found], dtype=np.int64), missing


def _targets(table: Table, target: TableTarget) -> list[object]:
    columns: dict[str, list[Cell]] = {name: table.column(name) for name in target.columns}
    return [_read(target, {name: cells[row] for name, cells in columns.items()}) for row in range(len(table))]


def _read(target: TableTarget, cells: dict[str, Cell]) -> object:
    try:
        return target.read(cells)
    except CellError:
        return float("nan")


def _rarest(labels: tuple[str, ...], counts: "Counter[str]") -> str:
    return min(labels, key=lambda label: (counts[label], label), default="")


def _ranges(found: list[object]) -> Int64[np.ndarray, "rows"]:
    first = [value[0] if isinstance(value, tuple) and value else value for value in found]
    numbers = np.array([number if isinstance(number, float) else np.nan for number in first])
    readable = np.isfinite(numbers)
    if not readable.any():
        return np.full(len(numbers), -1, dtype=np.int64)
    edges = np.unique(np.quantile(numbers[readable], np.linspace(0, 1, RANGES + 1)[1:-1]))
    return np.where(readable, np.searchsorted(edges, numbers, side="right"), -1).astype(np.int64)
