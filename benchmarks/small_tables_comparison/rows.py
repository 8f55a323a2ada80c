"""A table read back from its CSV file."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from small_tables_comparison.export import FILE, SEEN
from small_tables_comparison.tables import SmallTable

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a table, and of its second test, which forms the split "seen".

    Args:
        table: what the columns are.
        folder: the folder of the media.
        cells: column -> its cells.
        split: the split of each row.
        target: the classes' names, or numbers.
    """

    table: SmallTable
    folder: Path
    cells: dict[str, list[str]]
    split: NDArray[np.str_]
    target: NDArray[np.str_] | NDArray[np.float64]

    def of(self, *splits: str) -> Mask:
        """Which rows are in these splits."""
        return np.isin(self.split, splits)


def read_rows(table: SmallTable, folder: Path) -> Rows:
    """The table in a folder."""
    listed = records(folder / FILE)
    listed += [row | {"split": "seen"} for row in records(folder / SEEN)]
    cells = {name: [row[name] for row in listed] for name in listed[0]}
    target = np.array(cells[table.target])
    return Rows(
        table=table,
        folder=folder,
        cells=cells,
        split=np.array(cells["split"]),
        target=target.astype(np.float64) if table.kind == "regression" else target,
    )


def records(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none without the file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
