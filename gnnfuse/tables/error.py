"""Errors in tables and in their cells."""


class TableError(ValueError):
    """A source that cannot be read as a table: names file, row and column, what was found and what to do."""


class CellError(ValueError):
    """A cell that does not fit its column: names the column, what was found and what was expected."""

    def __init__(self, column: str, found: str, expected: str) -> None:
        super().__init__(f"column {column!r}: found {found}, expected {expected}")
        self.reason = (column, found, expected)

    def __reduce__(self) -> "tuple[type[CellError], tuple[str, str, str]]":
        return CellError, self.reason
