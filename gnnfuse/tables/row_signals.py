"""Turns a row's cells into a sample: each cell becomes a signal for its modality's reader, or `Unreadable`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gnnfuse.sample.class_name import value_name
from gnnfuse.sample.files import shown
from gnnfuse.sample.sample import Sample
from gnnfuse.sample.text import AS_UTF8, TextFile, has_half_pair, is_unicode
from gnnfuse.sample.unreadable import Unreadable
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.columns import SIGNALS, Columns
from gnnfuse.tables.error import CellError
from gnnfuse.tables.feature_rows import FeatureRow
from gnnfuse.tables.media_path import MediaFolder
from gnnfuse.tables.table import Cells
from gnnfuse.tables.table_target import TableTarget


@dataclass(frozen=True)
class RowSignals:
    """Makes samples from rows; opens no file.

    A cell that cannot be used (a path that leaves the folder, a text that is not UTF-8, "abc" among numbers) becomes an
    `Unreadable` signal, an error only when a node type reads it. The row's other numbers are then the signal's `rest`.

    Args:
        columns: which column is what.
        media: where paths start from.
        target: how the target is read; None leaves it out.
    """

    columns: Columns
    media: MediaFolder
    target: TableTarget | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that are read cell by cell: all used columns but those of numbers."""
        roles = (*SIGNALS, "id", *(("target",) if self.target is not None else ()))
        return tuple(dict.fromkeys(name for role in roles for name in self.columns.of(role)))

    def sample(self, number: int, cells: Cells, features: FeatureRow | None) -> Sample:
        """The sample of the row with a number, from 0.

        Args:
            number: the row's number.
            cells: of the columns that are `used`.
            features: the row's numbers; None if there are no such columns.
        """
        name = cells[self.columns.id] if self.columns.id is not None else None
        return Sample(self.signals(cells, features), self._target(cells), row_name(number, name))

    def signals(self, cells: Cells, features: FeatureRow | None) -> dict[str, object]:
        """The signals of a row; None where a cell is empty."""
        found: dict[str, object] = {}
        for role, read in self._readers.items():
            for name in self.columns.of(role):
                cell = cells[name]
                found[name] = None if cell is None else read(cell)
        if features is not None:
            found[self.columns.features_signal] = _features(features)
        return found

    @property
    def _readers(self) -> Mapping[str, Callable[[Cell], object]]:
        media = self._media
        return {"image": media, "audio": media, "text": _text, "text_file": self._text_file, "rows": _rows}

    def _media(self, cell: Cell) -> object:
        if isinstance(cell, str):
            return self._path(cell)
        if isinstance(cell, Mapping) and "bytes" in cell and cell["bytes"] is None:
            return self._path(str(cell["path"]), absolute=True)
        return cell

    def _text_file(self, cell: Cell) -> object:
        path = self._path(cell) if isinstance(cell, str) else Unreadable(_kind(cell), "the path of a text file")
        return path if isinstance(path, Unreadable) else TextFile(path)

    def _path(self, cell: str, *, absolute: bool = False) -> Path | Unreadable:
        return self.media.resolve(cell.strip(), absolute=absolute)

    def _target(self, cells: Cells) -> object:
        if self.target is None:
            return None
        try:
            target = self.target.read(cells)
        except CellError as error:
            column, found, expected = error.reason
            return Unreadable(found, expected, column)
        for name in target if isinstance(target, tuple) else (target,):
            if isinstance(name, str) and not is_unicode(name):  # could not be written after training
                if has_half_pair(name):
                    found = f"{shown(name, 80)}, which has half of a surrogate pair"
                    return Unreadable(found, "whole characters, such as \\ud83d\\ude00", self.target.columns[0])
                return Unreadable(f"{shown(name, 80)}, which is not UTF-8", AS_UTF8, self.target.columns[0])
        return target


def row_name(number: int, cell: Cell) -> str:
    """A row's id, or "row 1" and so on if the cell is empty."""
    return f"row {number + 1}" if cell is None else id_in(cell)


def id_in(cell: Cell) -> str:
    """A cell as an id: its `value_name` without surrounding spaces; bytes that are not UTF-8 are escaped."""
    text = str(cell) if isinstance(cell, list | tuple | dict | np.ndarray) else value_name(cell)
    return text.strip().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _features(row: FeatureRow) -> object:
    left: object = None if np.isnan(row.values).all() else row.values
    for name, cell in reversed(row.strange):
        left = Unreadable(f"{shown(cell, 80)} in column {name!r}", "a finite number or an empty cell", name, left)
    return left


def _text(cell: Cell) -> object:
    if isinstance(cell, str | int | float | bool):
        return cell if isinstance(cell, str) else str(cell)
    return Unreadable(_kind(cell), "a text")


def _rows(cell: Cell) -> object:
    if isinstance(cell, np.ndarray):
        return cell
    if not isinstance(cell, list):
        return Unreadable(_kind(cell), "a list of numbers")
    try:
        return np.array(cell, dtype=np.float64)
    except (TypeError, ValueError) as error:
        return Unreadable(f"a list that is no table of numbers ({error})", "rows of numbers of one width")


def _kind(cell: Cell) -> str:
    return f"a {type(cell).__name__}"
