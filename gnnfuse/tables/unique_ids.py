"""Checks that ids are unique within a table."""

from gnnfuse.tables.error import TableError
from gnnfuse.tables.row_signals import id_in
from gnnfuse.tables.table import Table


def check_ids(table: Table, column: str) -> None:
    """Refuse ids that are empty or occur twice.

    Raises:
        TableError: names the column, the id and its rows.
    """
    wrong = wrong_with_ids(table, column)
    if wrong is not None:
        raise TableError(f"table {table.name}, column {column!r}: {wrong}, expected unique ids")


def wrong_with_ids(table: Table, column: str) -> str | None:
    """The first id of a column that is empty or occurs twice, in words; None if all ids are unique."""
    seen: dict[str, int] = {}
    for number, cell in enumerate(table.column(column)):
        if cell is None:
            return f"found no id in row {number + 1}"
        name = id_in(cell)
        if name in seen:
            return f"found id {name!r} in row {seen[name] + 1} and again in row {number + 1}"
        seen[name] = number
    return None
