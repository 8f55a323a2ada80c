"""Chooses the kind of target in a table's target columns: classes, labels or numbers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gnnfuse.fit_defaults import Kind
from gnnfuse.sample.class_name import WHOLE, class_name
from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import Entries
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.class_cells import ClassCells, spelling
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.dates_in_cells import ADVICE, date_among
from gnnfuse.tables.error import TableError
from gnnfuse.tables.label_cells import LabelCells, no_truth
from gnnfuse.tables.number_cells import NumberCells
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.separators import find_separator
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import TableTarget
from gnnfuse.tables.target_column import TargetColumn

KINDS: Mapping[str, type[TableTarget]] = {each.kind: each for each in (ClassCells, LabelCells, NumberCells)}
LOOK = 10_000  # rows examined
FEW = 20  # up to so many different whole numbers are classes
PADDED = re.compile(r"0[0-9]+")


def target_kind(
    table: Table, columns: Columns, *, kind: Kind | None = None, separator: str | None = None
) -> TableTarget:
    """Choose the kind of target in the target columns from up to 10,000 rows.

    Several columns of only 0 and 1 (or true and false) are labels named by the columns; other sets of columns are
    regression. One column is labels if it holds lists (also spelt out, as "['red', 'big']") or texts with `separator`
    or one that `find_separator` is certain of. Lists of equal length with only 0 and 1 are multi-hot: the labels of
    column y are y[0], y[1] and so on. Lists of one whole number each hold a name: [0] and [1] are the labels "0" and
    "1". Lists of numbers with fractions, numbers with fractions and more than 20 different whole numbers are
    regression, unless the source declares them to be labels (as class folders do) or they are texts padded with zeros
    ("007"). Texts and up to 20 different whole numbers are classes.

    Args:
        table: the table.
        columns: names the target columns.
        kind: overrides the choice. "multilabel" tries more separators and treats one column of only 0 and 1 as one
            label.
        separator: between several labels in a cell; makes the target multi-label.

    Raises:
        TableError: there is no target column, all its cells are empty, the kind does not fit or is unknown, the
            separator is empty or occurs in no cell while another one separates labels, nothing separates the labels
            that `kind` requires; or, if no kind is given, lists may be names or numbers, or nearly every row has its
            own text or date.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"y": 0.5}, {"y": 1.25}])
        >>> found = target_kind(table, Columns(target=("y",)))
        >>> found.kind, found.reason
        ('regression', 'column y holds numbers with fractions, such as 0.5')
    """
    table = table.reading(columns)
    if not columns.target:
        raise TableError(
            f"table {table.name}: found no target column; name it with --target (target=), one of "
            f"{', '.join(table.columns)}"
        )
    if separator == "":
        raise TableError("the separator (--separator, separator=) is empty, expected what stands between labels")
    if kind is not None and kind not in KINDS:
        raise TableError(f"target kind {kind!r}, expected one of {', '.join(KINDS)}")
    rows = list(_filled(table, names := columns.target))
    if not rows:
        raise TableError(f"table {table.name}, column {columns.target[0]!r}: all targets are empty")
    asked = None if kind is None else KINDS[kind]
    if len(names) > 1:
        if separator is not None:
            raise TableError(f"a separator has one target column, found {len(names)}: {', '.join(names)}")
        return _of_columns(names, rows) if asked is None else asked.asked_of(table.name, names, rows)
    column = TargetColumn(
        table=table.name, name=names[0], cells=[cell for [cell] in rows], separator=separator,
        declared=table.kinds.get(names[0]) == "label",
    )  # fmt: skip
    return _of_column(column.spelt_out()) if asked is None else asked.asked(column)


def _filled(table: Table, names: tuple[str, ...]) -> Iterator[tuple[Cell, ...]]:
    for _, cells in table.look(LOOK, names):
        if all(cell is not None for cell in cells.values()):
            yield tuple(cells[name] for name in names)


def _of_columns(names: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> TableTarget:
    if no_truth(names, rows) is None:
        reason = f"columns {', '.join(names)} hold nothing but 0 and 1: each is a label"
        return LabelCells(columns=names, labels=names, reason=reason)
    return NumberCells(columns=names, reason=f"{len(names)} target columns are a vector of numbers")


def _of_column(column: TargetColumn) -> TableTarget:
    if column.lists is not None:
        return _of_lists(column, column.lists)
    if column.separator is not None:
        return LabelCells.given_separator(column, column.separator)
    if column.declared:
        return ClassCells.of(column, f"column {column.name} holds classes, as declared by its source")
    numbers = [number_in(cell) for cell in column.cells]
    if None not in numbers:
        return _of_numbers(column, [number for number in numbers if number is not None])
    separator = find_separator(column.cells)
    if separator is None:
        return _of_texts(column, "texts")
    return LabelCells.separated_by(column, separator, f"column {column.name} holds labels separated by {separator!r}")


def _of_lists(column: TargetColumn, lists: list[Entries]) -> TableTarget:
    multi_hot = LabelCells.multi_hot(column)
    if multi_hot is not None:
        return multi_hot
    if _all_floats(lists):
        return NumberCells.of(column, f"column {column.name} holds lists of numbers")
    if (again := _repeating(lists)) is not None:
        raise TableError(
            f"{column.where}: found lists of one length that repeat entries, such as {shown(again, 80)}, so that "
            "their places count; expected names, or 0 or 1 at each place; choose --kind multilabel (names) or "
            "--kind regression (kind=)"
        )
    return LabelCells.of(column, f"column {column.name} holds lists")


def _of_numbers(column: TargetColumn, numbers: list[float]) -> TableTarget:
    fraction = next((number for number in numbers if not number.is_integer()), None)
    if fraction is not None:
        return NumberCells.of(column, f"column {column.name} holds numbers with fractions, such as {fraction:g}")
    different = len({class_name(cell) for cell in column.cells})
    if spelling(column.cells) is not None:
        return ClassCells.of(column, f"column {column.name} holds {len(set(numbers))} different truth values")
    if _padded(column.cells):
        return _of_texts(column, "codes")
    if different > FEW:
        reason = f"column {column.name} holds {different} different whole numbers, more than {FEW}"
        return NumberCells.of(column, reason)
    plain = all(WHOLE.fullmatch(class_name(cell)) for cell in column.cells)
    what = "whole numbers" if plain else "spellings of whole numbers"
    return ClassCells.of(column, f"column {column.name} holds {different} different {what}")


def _of_texts(column: TargetColumn, what: str) -> TableTarget:
    cells = column.cells
    try:
        classes = Counter(map(class_name, cells))
    except ValueError as error:
        raise TableError(f"{column.where}: {error}") from error
    if len(classes) > max(FEW, len(cells) // 2):
        found = f"{column.where}: found {len(classes)} different"
        if (day := date_among(cells)) is not None:
            raise TableError(f"{found} dates or times in {len(cells)} rows, such as {shown(day, 80)}; {ADVICE}")
        raise TableError(
            f"{found} {what} in {len(cells)} rows, which looks like free text; if they are classes, add --kind "
            "classification (kind=)"
        )
    return ClassCells.of(column, f"column {column.name} holds {len(classes)} different {what}")


def _padded(cells: Sequence[Cell]) -> bool:
    """Whether texts are whole numbers padded with zeros to one length or one minimum length: "007", "042"."""
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    padded = {len(text) for text in texts if PADDED.fullmatch(text)}
    return len(texts) == len(cells) and padded == {min(map(len, texts), default=0)}


def _all_floats(lists: list[Entries]) -> bool:
    kinds = {entries.dtype.kind for entries in lists if isinstance(entries, np.ndarray)}
    if kinds:
        return kinds == {"f"}
    entries = [entry for found in lists for entry in found]
    numbers = all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in entries)
    return numbers and any(isinstance(entry, float) for entry in entries)


def _repeating(lists: list[Entries]) -> Entries | None:
    """The first list that repeats an entry, as lists of names do not, if all lists have one length."""
    if len(set(map(len, lists))) > 1:
        return None
    return next((found for found in lists if len({repr(entry) for entry in found}) < len(found)), None)
