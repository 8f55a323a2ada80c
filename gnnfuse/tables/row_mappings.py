"""Rows as mappings from columns to cells: collects their keys, limits their depth, and writes cells as text."""

import json
from collections.abc import Mapping
from typing import Any

from gnnfuse.tables.arrow_checks import MOST_COLUMNS
from gnnfuse.tables.error import TableError

MOST_NESTED = 32  # Arrow files hold twice as much
MANY, SPARSE = 1000, 200  # with more columns than `MANY`, at least one cell in `SPARSE` must be filled


class RowKeys:
    """Collects the keys of rows, in the order of their first appearance.

    Args:
        table: names the table in messages.

    Example:
        >>> keys = RowKeys("a table")
        >>> keys.add({"text": "a cat"}), keys.add({"label": "cat"}), list(keys.found)
        (None, None, ['text', 'label'])
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self.found: dict[object, None] = {}
        self.rows = self.filled = 0

    def add(self, row: Mapping[Any, object]) -> None:
        """Add the keys of the next row.

        Raises:
            TableError: more than 50,000 keys, or more than 1,000 with fewer than one in 200 filled: the keys are data.
        """
        self.rows += 1
        self.filled += len(row)
        self.found.update(dict.fromkeys(row))
        columns = len(self.found)
        if columns > MOST_COLUMNS or (columns > MANY and self.filled * SPARSE < self.rows * columns):
            share = self.filled / (self.rows * columns)
            raise TableError(
                f"table {self.table}, row {self.rows}: found {columns:,} columns so far, {share:.1%} of their cells "
                f"filled, expected at most {MOST_COLUMNS:,}, and above {MANY:,} at least one cell of {SPARSE} filled; "
                "put keys that are data into a column of lists"
            )


def too_deep(cell: object) -> bool:
    """Whether lists and mappings are nested more than 32 deep.

    Example:
        >>> too_deep([[1, 2], {"a": [3]}])
        False
    """
    level: list[Any] = [cell]
    for _ in range(MOST_NESTED + 1):
        inside = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for inner_cells in inside for inner in inner_cells if isinstance(inner, dict | list | tuple)]
        if not level:
            return False
    return True


def as_text(value: object) -> bytes | None:
    """A cell of a text column as bytes: a text unchanged, anything else as JSON.

    Example:
        >>> as_text("caf\\udce9"), as_text(1.5), as_text([1])
        (b'caf\\xe9', b'1.5', b'[1]')
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=isinstance(value, Mapping | list))
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate escaped in the JSON itself
        return text.encode("utf-8", "surrogatepass")
