"""Ids have to tell the rows of a table apart."""

from gnnfuse.data.tables.error import TableError
from gnnfuse.data.tables.row_signals import id_in
from gnnfuse.data.tables.table import Table


def check_ids(table: Table, column: str) -> None:
    """Refuse ids that are empty or stand twice.

    Raises:
        TableError: names the column, the id and its rows.
    """
    seen: dict[str, int] = {}
    for number, cell in enumerate(table.column(column)):
        if cell is None:
            raise TableError(f"table {table.name}, column {column!r}, row {number + 1}: found no id, expected one")
        name = id_in(cell)
        if name in seen:
            raise TableError(
                f"table {table.name}, column {column!r}: found id {name!r} in row {seen[name] + 1} and again in row "
                f"{number + 1}, expected ids that tell the rows apart"
            )
        seen[name] = number
