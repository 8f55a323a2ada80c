"""Chooses the kind of target in a table's target columns: classes, labels or numbers."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from gnnfuse.sample.class_name import WHOLE, class_name
from gnnfuse.sample.files import shown
from gnnfuse.sample.multi_hot import Entries, listed, multi_hot_width, truth
from gnnfuse.tables.arrow_cells import Cell
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.dates_in_cells import ADVICE, date_among
from gnnfuse.tables.error import TableError
from gnnfuse.tables.literal_list import literal_list
from gnnfuse.tables.numbers_in_cells import number_in
from gnnfuse.tables.separators import find_separator, labels_in
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import KINDS, Kind, TableTarget

LOOK = 10_000  # rows looked at
FEW = 20  # different whole numbers that still are classes
HALF = 0.5  # of the cells spell out lists: then the others are damaged
PADDED = re.compile(r"0[0-9]+")


def target_kind(
    table: Table, columns: Columns, *, kind: Kind | None = None, separator: str | None = None
) -> TableTarget:
    """Choose the kind of target that the target columns hold, from up to 10,000 rows.

    Several columns of nothing but 0 and 1 (or true and false) are labels by the columns' names; other several columns
    are regression. One column is labels if it holds lists (also spelt out, as "['red', 'big']") or texts with
    `separator`, or with one that `find_separator` is certain of. Lists of one length of nothing but 0 and 1 are
    multi-hot: the labels of column y are y[0], y[1] and so on. Lists of one whole number each hold a name: [0] and [1]
    are the labels "0" and "1". Lists of numbers with fractions, numbers with fractions and more than 20 different whole
    numbers are regression, unless the source declares them to be labels (as class folders do), or they are texts padded
    with zeros ("007"). Texts and up to 20 different whole numbers are classes.

    Args:
        table: the table.
        columns: names the target columns.
        kind: overrides the choice. "multilabel" looks for more separators, and takes one column of nothing but 0 and 1
            for one label.
        separator: between several labels in a cell; makes the target multi-label.

    Raises:
        TableError: there is no target column, all its cells are empty, the kind does not fit or is unknown, the
            separator is empty or stands in no cell while another one separates labels, nothing separates the labels
            that `kind` demands, lists may be names or numbers, or nearly every row has a text or date of its own; in
            the last two cases if no kind is given.

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
            f"table {table.name}: found no target column; name it by --target (target=), one of "
            f"{', '.join(table.columns)}"
        )
    if separator == "":
        raise TableError("the separator (--separator, separator=) is empty, expected what stands between labels")
    if kind is not None and kind not in KINDS:
        raise TableError(f"target kind {kind!r}, expected one of {', '.join(KINDS)}")
    rows = list(_filled(table, columns.target))
    if not rows:
        raise TableError(f"table {table.name}, column {columns.target[0]!r}: all targets are empty")
    if len(columns.target) > 1:
        return _of_columns(table, columns.target, rows, kind, separator)
    return _OneColumn(table, columns.target[0], [row[0] for row in rows], kind, separator).target()


def _filled(table: Table, names: tuple[str, ...]) -> Iterator[tuple[Cell, ...]]:
    for _, cells in table.look(LOOK, names):
        if all(cell is not None for cell in cells.values()):
            yield tuple(cells[name] for name in names)


def _of_columns(
    table: Table, names: tuple[str, ...], rows: list[tuple[Cell, ...]], kind: Kind | None, separator: str | None
) -> TableTarget:
    if kind == "classification" or separator is not None:
        what = "a separator" if separator is not None else kind
        raise TableError(f"{what} has one target column, found {len(names)}: {', '.join(names)}")
    odd = next(
        ((name, cell) for row in rows for name, cell in zip(names, row, strict=True) if truth(cell) is None), None
    )
    if odd is None and kind != "regression":
        reason = f"columns {', '.join(names)} hold nothing but 0 and 1: each is a label"
        reason = reason if kind is None else f"given; {reason}"
        return TableTarget(kind="multilabel", columns=names, labels=names, reason=reason)
    if kind == "multilabel" and odd is not None:
        raise TableError(
            f"table {table.name}, column {odd[0]!r}: found {shown(odd[1], 80)}, expected 0 or 1 (or true or false): "
            f"several target columns ({', '.join(names)}) are one label each; labels in one cell stand in one column"
        )
    reason = f"{len(names)} target columns are a vector of numbers"
    return TableTarget(kind="regression", columns=names, reason=reason if kind is None else "given")


class _OneColumn:
    """Chooses the kind of target in one column."""

    def __init__(self, table: Table, name: str, cells: list[Cell], kind: Kind | None, separator: str | None) -> None:
        self.name, self.kind, self.separator = name, kind, separator
        self.where = f"table {table.name}, column {name!r}"
        self.is_label = table.kinds.get(name) == "label"
        spelt = [literal_list(cell) if isinstance(cell, str) else None for cell in cells]
        lists: list[Cell] = [found for found in spelt if found is not None]
        self.literal = separator is None and kind != "classification" and len(lists) >= HALF * len(cells)
        self.cells = lists if self.literal else cells

    def target(self) -> TableTarget:
        """The choice."""
        lists = [found for cell in self.cells if (found := listed(cell)) is not None]
        if len(lists) == len(self.cells):
            return self._of_lists(lists)
        if self.kind == "regression":
            return self._chosen("regression", "given")
        if self.kind == "classification":
            return self._classes("given")
        if self.separator is not None:
            return self._separated(
                self.separator, f"labels separated by {self.separator!r}, {self._fit(self.separator)}"
            )
        if self.kind == "multilabel":
            return self._asked()
        if self.is_label:
            return self._classes(f"column {self.name} holds classes, as declared by its source")
        numbers = [number_in(cell) for cell in self.cells]
        if None not in numbers:
            return self._of_numbers([number for number in numbers if number is not None])
        separator = find_separator(self.cells)
        if separator is None:
            return self._of_texts("texts")
        return self._separated(separator, f"column {self.name} holds labels separated by {separator!r}")

    def _chosen(self, kind: Kind, reason: str, **how: Any) -> TableTarget:
        return TableTarget(kind=kind, columns=(self.name,), literal=self.literal, reason=reason, **how)

    def _places(self, width: int) -> tuple[str, ...]:
        return tuple(f"{self.name}[{place}]" for place in range(width))

    def _of_lists(self, lists: list[Entries]) -> TableTarget:
        example = next((shown(entries, 80) for entries in lists if len(entries)), "[]")
        if self.kind == "classification":
            raise TableError(f"{self.where}: found lists such as {example}, expected one class in each row")
        if self.kind == "regression":
            return self._chosen("regression", "given")
        if any(listed(entry) is not None for entries in lists for entry in entries[:1]):
            raise TableError(
                f"{self.where}: found lists of lists, such as {example}, expected lists of names, or numbers by --kind "
                "regression (kind=)"
            )
        width = multi_hot_width(lists)
        if width:
            reason = f"column {self.name} holds lists of {width} that are 0 or 1: each place is a label"
            return self._chosen("multilabel", reason, labels=self._places(width))
        if self.kind is None and _all_floats(lists):
            return self._chosen("regression", f"column {self.name} holds lists of numbers")
        if self.kind is None and (again := _repeating(lists)) is not None:
            raise TableError(
                f"{self.where}: found lists of one length that repeat entries, such as {shown(again, 80)}, so that "
                "their places count; expected names, 0 or 1 at each place, or what they are by --kind multilabel "
                "(names) or --kind regression (kind=)"
            )
        return self._chosen("multilabel", "given" if self.kind else f"column {self.name} holds lists")

    def _asked(self) -> TableTarget:
        """Labels without a given separator."""
        if all(truth(cell) is not None for cell in self.cells):
            return self._chosen(
                "multilabel",
                f"given; column {self.name} holds nothing but 0 and 1: it is one label",
                labels=(self.name,),
            )
        separator = find_separator(self.cells, asked=True)
        if separator is None:
            raise TableError(
                f"{self.where}: found no separator between labels in cells such as {shown(self.cells[0], 80)}; name "
                "it by --separator (separator=), any if each row has one label at most"
            )
        return self._separated(separator, f"given; its labels are separated by {separator!r}")

    def _fit(self, separator: str) -> str:
        """How a given separator fits the cells.

        Raises:
            TableError: no cell holds it, and another one is certain.
        """
        if any(isinstance(cell, str) and separator in cell for cell in self.cells):
            return "as given"
        other = find_separator(self.cells)
        if other is not None:
            raise TableError(
                f"{self.where}: found no cell with the separator {separator!r}, but labels separated by "
                f"{other!r}; name that one by --separator (separator=)"
            )
        other = find_separator(self.cells, asked=True)
        return "as given, though no cell holds it" + ("" if other is None else f"; they may be separated by {other!r}")

    def _separated(self, separator: str, reason: str) -> TableTarget:
        width = multi_hot_width(labels_in(cell, separator) if isinstance(cell, str) else [cell] for cell in self.cells)
        return self._chosen("multilabel", reason, separator=separator, labels=self._places(width))

    def _classes(self, reason: str) -> TableTarget:
        return self._chosen("classification", reason, spelling=_spelling(self.cells))

    def _of_numbers(self, numbers: list[float]) -> TableTarget:
        fraction = next((number for number in numbers if not number.is_integer()), None)
        if fraction is not None:
            reason = f"column {self.name} holds numbers with fractions, such as {fraction:g}"
            return self._chosen("regression", reason)
        different = len({class_name(cell) for cell in self.cells})
        if _spelling(self.cells) is not None:
            return self._classes(f"column {self.name} holds {len(set(numbers))} different truth values")
        if _padded(self.cells):
            return self._of_texts("codes")
        if different > FEW:
            reason = f"column {self.name} holds {different} different whole numbers, more than {FEW}"
            return self._chosen("regression", reason)
        plain = all(WHOLE.fullmatch(class_name(cell)) for cell in self.cells)
        what = "whole numbers" if plain else "spellings of whole numbers"
        return self._classes(f"column {self.name} holds {different} different {what}")

    def _of_texts(self, what: str) -> TableTarget:
        try:
            classes = Counter(map(class_name, self.cells))
        except ValueError as error:
            raise TableError(f"{self.where}: {error}") from error
        if len(classes) > max(FEW, len(self.cells) // 2) and (day := date_among(self.cells)) is not None:
            raise TableError(
                f"{self.where}: found {len(classes)} different dates or times in {len(self.cells)} rows, such as "
                f"{shown(day, 80)}; {ADVICE}"
            )
        if len(classes) > max(FEW, len(self.cells) // 2):
            raise TableError(
                f"{self.where}: found {len(classes)} different {what} in {len(self.cells)} rows, which looks like free "
                "text; if they are classes, add --kind classification (kind=)"
            )
        return self._classes(f"column {self.name} holds {len(classes)} different {what}")


def _spelling(cells: list[Cell]) -> tuple[str, str] | None:
    """What false and true are called in a column of nothing but truth values, as most cells spell them."""
    if any(truth(cell) is None for cell in cells):
        return None
    words = Counter(name for cell in cells if (name := class_name(cell)) not in ("0", "1"))
    if not words:
        return None
    [(most, _)] = words.most_common(1)
    style = next((style for style in (str.lower, str.capitalize, str.upper) if style(most) == most), str.lower)
    return style("false"), style("true")


def _padded(cells: list[Cell]) -> bool:
    """Whether texts are whole numbers that zeros make of one length, or of one length at least: "007", "042"."""
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
    """The first list that repeats an entry, which lists of names do not, where all are of one length."""
    if len(set(map(len, lists))) > 1:
        return None
    return next((found for found in lists if len({repr(entry) for entry in found}) < len(found)), None)
