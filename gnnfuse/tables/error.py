"""Errors in tables and in their cells."""


class TableError(ValueError):
    """A table that cannot be read as one: names the file, the row and the column, what was found and what to do."""


class CellError(ValueError):
    """A cell does not hold what is read from its column: names the column, what was found and what was expected."""

    def __init__(self, column: str, found: str, expected: str) -> None:
        super().__init__(f"column {column!r}: found {found}, expected {expected}")
        self.reason = (column, found, expected)

    def __reduce__(self) -> "tuple[type[CellError], tuple[str, str, str]]":
        return CellError, self.reason
