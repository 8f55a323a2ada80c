"""Reports which words in cells are treated as empty."""

from collections import Counter

from gnnfuse.tables.columns import Columns
from gnnfuse.tables.table import Table

LOOK = 1000  # rows examined


def blank_notes(table: Table, columns: Columns) -> tuple[str, ...]:
    """A line for each column of numbers or targets in which the default words for empty cells occur.

    Args:
        table: the table.
        columns: which of its columns are read.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> blank_notes(open_table([{"age": "NA"}, {"age": "7"}]), Columns(features=("age",)))
        ("column 'age': 'NA' counts as empty (1 of 2 rows examined); name other words with blanks= (--blank)",)
    """
    if table.blanks.everywhere:
        return ()
    names = [name for name in (*columns.features, *columns.target) if name not in table.empty]
    table = table.reading(Columns())  # where such words are texts
    _, rows = table.looked(LOOK, names)
    notes = []
    for name, column in zip(names, rows.columns, strict=True):
        strange = table.numbers(name, column).strange
        found = Counter(cell.strip() for cell in strange.values() if isinstance(cell, str))
        words = sorted(found.keys() & table.blanks.words)
        if words:
            count, shown = sum(found[word] for word in words), ", ".join(map(repr, words))
            notes.append(
                f"column {name!r}: {shown} counts as empty ({count:,} of {len(rows):,} rows examined); name other "
                "words with blanks= (--blank)"
            )
    return tuple(notes)
