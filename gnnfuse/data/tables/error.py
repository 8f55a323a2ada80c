"""What is said when a table itself cannot be used."""


class TableError(ValueError):
    """A table that cannot be read as one: names the file, the row and the column, what was found and what to do."""
