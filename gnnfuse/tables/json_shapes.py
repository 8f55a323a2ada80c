"""Tables in files that hold one JSON object, in the shapes that programs write."""

from collections.abc import Mapping
from typing import Any

from gnnfuse.tables.arrow_checks import repeated

WRITE = "frame.to_json(path, orient='records', lines=True)"


def rows_in(whole: Mapping[str, Any], *, lists_are_cells: bool = False) -> tuple[list[Any], str]:
    """The rows of a file that is a single JSON object, and the name of its shape: "" for one row.

    The shapes are `{"data": [rows]}` (with a schema, as pandas' orient="table", or with single values beside), and
    pandas' orient="split", "columns" (its default) and, with numbered rows, "index".

    Args:
        whole: the object.
        lists_are_cells: treat an object with lists of objects as a row: JSON Lines of one row.

    Raises:
        ValueError: it is no table, or is ambiguous between two; the message names the shape.

    Example:
        >>> rows_in({"text": {"0": "a cat", "1": "a dog"}, "label": {"0": "cat", "1": "dog"}})[0]
        [{'text': 'a cat', 'label': 'cat'}, {'text': 'a dog', 'label': 'dog'}]
    """
    if whole.keys() >= {"columns", "data"} and whole.keys() <= {"columns", "index", "data"}:
        return _split(whole["columns"], whole["data"]), "pandas' orient='split'"
    lists = [name for name, value in whole.items() if not lists_are_cells and _holds(value, list, dict)]
    single = [name for name, value in whole.items() if not isinstance(value, list | dict)]
    if lists == ["data"] and whole.keys() <= {"data", "schema", *single}:
        return _without_index(whole["data"], whole.get("schema")), "the rows under 'data'"
    if lists:
        raise ValueError(
            f"found one JSON object with lists of objects under {', '.join(map(repr, lists))}, expected a list of "
            "rows, or one row per line; save only the list that is the table"
        )
    if not whole or not _holds(list(whole.values()), list, dict):
        return [whole], ""
    inner = next(iter(whole.values())).keys()
    if not inner or inner <= {"bytes", "path"} or any(each.keys() != inner for each in whole.values()):
        return [whole], ""
    by_column, by_row = all(map(str.isdecimal, inner)), all(map(str.isdecimal, whole))
    if by_column and not by_row:
        return [{name: each[row] for name, each in whole.items()} for row in inner], "pandas' orient='columns'"
    if by_row and not by_column:
        return list(whole.values()), "pandas' orient='index'"
    raise ValueError(
        "found one JSON object of objects with the same keys, which may be columns or rows (pandas' "
        f"orient='columns' or 'index'), expected one row per line; write it with {WRITE}"
    )


def _split(columns: Any, data: Any) -> list[Any]:
    if not isinstance(columns, list) or not _holds(data, list, list) or any(len(row) != len(columns) for row in data):
        raise ValueError(f"found 'columns' and 'data' that do not fit, expected as many cells as columns; use {WRITE}")
    names = list(map(str, columns))
    twice = repeated(names)
    if twice is not None:
        raise ValueError(f"column {twice!r} occurs twice in the header")
    return [dict(zip(names, row, strict=True)) for row in data]


def _without_index(rows: list[Any], schema: Any) -> list[Any]:
    """pandas' orient="table" writes a frame's unnamed index as a column."""
    if not isinstance(schema, dict) or schema.get("primaryKey") != ["index"]:
        return rows
    return [{name: cell for name, cell in row.items() if name != "index"} for row in rows]


def _holds(value: object, outer: type, inner: type) -> bool:
    return isinstance(value, outer) and bool(value) and all(isinstance(each, inner) for each in value)  # type: ignore[attr-defined]
