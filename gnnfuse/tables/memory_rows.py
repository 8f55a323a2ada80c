"""Rows, frames and Arrow data in memory, as one Arrow table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gnnfuse.tables.arrow_checks import check_values, checked_schema, column_names
from gnnfuse.tables.error import TableError
from gnnfuse.tables.row_mappings import MOST_NESTED, RowKeys, as_text, too_deep

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

NAME = "in memory"
EXPORTS = ("__arrow_c_stream__", "__arrow_c_array__")  # the Arrow PyCapsule interface
SIMPLE = frozenset({str, bytes, bool, int, float, type(None)})
SPELT = (str, bool, int, float)  # types that may share a column, as texts
MISSING = frozenset({"NoneType", "NAType", "NaTType"})
PNG = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
TIFF = frozenset({"I", "F", "CMYK"})
EXPECTED = "a text, a number, a list of numbers, bytes, a path or a PIL picture"


@dataclass(frozen=True)
class MemoryRows:
    """A table in memory.

    Args:
        table: its rows and columns.
        texts: columns of texts that are kept as bytes.
        kinds: column -> "image", if its cells are PIL pictures.
    """

    table: "pa.Table"
    texts: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)


def memory_rows(source: Any) -> MemoryRows | None:
    """A list of mappings, a pandas frame, or an object that exports its columns to Arrow (pyarrow, polars, DuckDB ...).

    In lists and in pandas columns of objects, a path becomes its text, a PIL picture a PNG file (TIFF if PNG cannot
    hold its pixels), and an array or tensor a list of numbers, or a number if it has no dimension. A column of texts
    and numbers becomes texts, with numbers as JSON writes them. A key that a row lacks is an empty cell.

    Returns:
        None for anything else.

    Raises:
        TableError: cells of incompatible types or that no column can hold; the message names row and column.

    Example:
        >>> memory_rows([{"n": 1}, {"n": "two"}, {"n": torch.tensor(3)}]).table.column("n").to_pylist()
        [b'1', b'two', b'3']
    """
    import pyarrow as pa

    if isinstance(source, list):
        return _from_rows(source)
    if type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        return _from_frame(source)
    if type(source).__module__.startswith("datasets"):
        return None
    if not isinstance(source, pa.Table):
        if not any(hasattr(source, name) for name in EXPORTS):
            return None
        try:
            source = pa.table(source)
        except (pa.ArrowException, TypeError, ValueError, KeyError) as error:
            raise TableError(f"table {NAME}: found a {type(source).__name__} that is no table ({error})") from error
    check_values(source, NAME)
    renamed = source.rename_columns(list(checked_schema(source.schema, NAME).names))
    return MemoryRows(renamed.replace_schema_metadata(source.schema.metadata))  # with the class names of numbers


def _from_rows(rows: list[Any]) -> MemoryRows:
    """Columns are the keys of all rows, in the order of their first appearance."""
    keys = RowKeys(NAME)
    for place, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            kind = type(row).__name__
            raise TableError(
                f"table {NAME}, row {place}: found a {kind} among the rows, expected mappings from columns to cells"
            )
        keys.add(row)
    names = column_names([str(key) for key in keys.found], NAME)
    return _table({name: [row.get(key) for row in rows] for name, key in zip(names, keys.found, strict=True)})


def _from_frame(frame: Any) -> MemoryRows:
    names = column_names([str(name) for name in frame.columns], NAME)
    columns = (frame.iloc[:, place] for place in range(len(names)))
    return _table({name: list(c) if c.dtype == object else c for name, c in zip(names, columns, strict=True)})


def _table(columns: Mapping[str, Any]) -> MemoryRows:
    import pyarrow as pa

    arrays: dict[str, pa.Array] = {}
    kinds: dict[str, str] = {}
    for name, cells in columns.items():
        values = cells
        if isinstance(cells, list) and not set(map(type, cells)) <= SIMPLE:
            values = [_plain(name, place, cell) for place, cell in enumerate(cells, 1)]
            kinds |= {name: "image"} if any(map(_is_picture, cells)) else {}
        try:
            arrays[name] = pa.array(values, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            arrays[name] = _spelt(name, list(values), error)
            kinds[name] = "text"
    texts = frozenset(name for name, kind in kinds.items() if kind == "text")
    return MemoryRows(pa.table(arrays), texts, {name: kind for name, kind in kinds.items() if kind == "image"})


def _plain(name: str, place: int, cell: Any) -> object:
    """A cell as a value that Arrow accepts."""
    if type(cell) in SIMPLE:
        return cell
    if isinstance(cell, Tensor):
        cell = cell.detach().to_dense().cpu()
        cell = (cell.float() if cell.dtype == torch.bfloat16 else cell).numpy()
    if isinstance(cell, np.ndarray):
        if cell.ndim > 2:
            raise TableError(
                f"table {NAME}, row {place}, column {name!r}: found an array of shape {list(cell.shape)}, expected "
                "numbers [width] or [nodes, width]; convert it to a picture with PIL.Image.fromarray"
            )
        return cell if cell.ndim == 1 and cell.dtype != object else _plain(name, place, cell.tolist())
    if isinstance(cell, np.datetime64):
        return cell.astype("datetime64[us]")  # among objects, Arrow reads no days, months or years
    if isinstance(cell, os.PathLike):
        return os.fspath(cell)
    if isinstance(cell, dict | list | tuple):
        if too_deep(cell):
            found = f"lists nested more than {MOST_NESTED} deep"
            raise TableError(f"table {NAME}, row {place}, column {name!r}: found {found}, expected {EXPECTED}")
        if isinstance(cell, dict):
            return {key: _plain(name, place, value) for key, value in cell.items()}
        return cell if set(map(type, cell)) <= SIMPLE else [_plain(name, place, item) for item in cell]
    return _stored(cell) if _is_picture(cell) else cell


def _is_picture(cell: object) -> bool:
    from PIL.Image import Image

    return isinstance(cell, Image)


def _stored(image: "Image") -> dict[str, object]:
    """A picture as Hugging Face datasets stores it, with the same pixels."""
    file = BytesIO()
    plain = image.copy() if image.mode in PNG | TIFF else image.convert("RGB")  # a copy lacks its file's tags
    if plain.mode in TIFF:
        plain.save(file, "TIFF")
    else:
        plain.save(file, "PNG", compress_level=1)
    return {"bytes": file.getvalue(), "path": None}


def _spelt(name: str, cells: list[Any], error: Exception) -> "pa.Array":
    """Cells of several simple types, numbers beyond 64 bits and texts that are not Unicode, as texts kept as bytes.

    Raises:
        TableError: cells of other kinds.
    """
    import pyarrow as pa

    values = [cell.item() if isinstance(cell, np.generic) else cell for cell in cells]
    kinds = ["NoneType" if isinstance(value, float) and value != value else type(value).__name__ for value in values]
    values = [None if kind in MISSING else value for kind, value in zip(kinds, values, strict=True)]
    strange = next((place for place, value in enumerate(values) if not isinstance(value, (*SPELT, type(None)))), None)
    if strange is None:
        return pa.array([as_text(value) for value in values], pa.binary())
    kind = kinds[strange]
    other = next((place for place, found in enumerate(kinds) if found not in {kind, *MISSING}), None)
    beside = f", and a {kinds[other]} in row {other + 1}" if other is not None else f" ({error})"
    expected = "cells of one kind" if other is not None else EXPECTED
    raise TableError(
        f"table {NAME}, row {strange + 1}, column {name!r}: found a {kind}{beside}, expected {expected}"
    ) from error
