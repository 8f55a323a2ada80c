"""What a table's target columns ask for: classes, labels or numbers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gnnfuse.data.tables.arrow_cells import Cell
from gnnfuse.data.tables.columns import Columns
from gnnfuse.data.tables.error import CellError, TableError
from gnnfuse.data.tables.numbers_in_cells import number_in
from gnnfuse.data.tables.table import Cells, Table
from gnnfuse.sample.files import shown

Kind = Literal["classification", "multilabel", "regression"]
KINDS: tuple[str, ...] = get_args(Kind)
LOOK = 10_000  # rows looked at
FEW = 20  # different whole numbers that still are classes
SEPARATOR = "|"


@dataclass(frozen=True, kw_only=True)
class TableTarget:
    """How a row's target is read.

    Args:
        kind: "classification", "multilabel" or "regression".
        columns: where it stands; several for a vector of numbers.
        separator: between the labels in a cell; None where cells are lists.
        reason: why this kind, in words.

    Example:
        >>> TableTarget(kind="multilabel", columns=("tags",), separator="|").read({"tags": "red | round"})
        ('red', 'round')
    """

    kind: Kind
    columns: tuple[str, ...]
    separator: str | None = None
    reason: str = "given"

    def read(self, cells: Cells) -> object:
        """The target as `Sample.target` holds it; None where a cell is empty, but no labels where it would hold some.

        A class is its name (a whole number without a fraction: "1.0" and 1 are class "1"), labels are a tuple of
        names, a number is a float, several are a tuple of floats.

        Raises:
            CellError: a number is expected and something else stands there.
        """
        found = [cells[name] for name in self.columns]
        if self.kind == "multilabel":
            return () if found[0] is None else self._labels(found[0])
        if any(cell is None for cell in found):
            return None
        if self.kind == "classification":
            return class_name(found[0])
        if len(self.columns) == 1 and _listed(found[0]):
            return tuple(self._number(item, self.columns[0]) for item in np.asarray(found[0]).reshape(-1).tolist())
        numbers = tuple(self._number(cell, name) for cell, name in zip(found, self.columns, strict=True))
        return numbers[0] if len(numbers) == 1 else numbers

    def _labels(self, cell: Cell) -> tuple[str, ...]:
        if _listed(cell):
            return tuple(dict.fromkeys(class_name(item) for item in cell if item is not None))  # type: ignore[attr-defined]
        parts = class_name(cell).split(self.separator) if self.separator else [class_name(cell)]
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def _number(self, cell: Cell, name: str) -> float:
        found = number_in(cell)
        if found is None:
            raise CellError(name, shown(cell, 80), "a finite number as target")
        return found


def class_name(cell: Cell) -> str:
    """A cell as the name of a class: texts without spaces around them, whole numbers without a fraction."""
    number = None if isinstance(cell, bool | np.bool_) else number_in(cell)
    if number is not None and number.is_integer() and not (isinstance(cell, str) and _spelt(cell)):
        return str(int(number))
    return str(cell).strip()


def _spelt(text: str) -> bool:
    """Whether a text keeps what it says: "true", "007", "+1" and "1e3" are names, "1" and "1.0" are numbers."""
    digits = text.strip().removeprefix("-").removesuffix(".0")
    return not digits.isdigit() or (len(digits) > 1 and digits.startswith("0"))


def target_kind(
    table: Table, columns: Columns, *, kind: Kind | None = None, separator: str | None = None
) -> TableTarget:
    """Choose what the target columns ask for, from up to 10,000 rows.

    Lists of names, or texts with `separator` (or "|", where the parts come again and again), are labels. Several
    columns, lists of numbers, numbers with fractions and more than 20 different whole numbers are regression. Texts
    and up to 20 different whole numbers are classes.

    Args:
        table: the table.
        columns: says which columns are the target.
        kind: overrides the choice.
        separator: between several labels in a cell; makes the target multi-label.

    Raises:
        TableError: there is no target column, all its cells are empty, the kind does not fit, or nearly every row has
            a text of its own and no kind is given.

    Example:
        >>> from gnnfuse.data.tables import open_table
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
    if kind is not None and kind not in KINDS:
        raise TableError(f"target kind {kind!r}, expected one of {', '.join(KINDS)}")
    cells = list(_filled(table, columns.target))
    if not cells:
        raise TableError(f"table {table.name}, column {columns.target[0]!r}: all targets are empty")
    chosen, reason, found_separator = _choose(table, columns.target, cells, kind, separator)
    if len(columns.target) > 1 and chosen != "regression":
        raise TableError(f"{chosen} has one target column, found {len(columns.target)}: {', '.join(columns.target)}")
    return TableTarget(kind=chosen, columns=columns.target, separator=found_separator, reason=reason)


def _filled(table: Table, names: tuple[str, ...]) -> Iterator[tuple[Cell, ...]]:
    for _, cells in table.look(LOOK, names):
        if all(cell is not None for cell in cells.values()):
            yield tuple(cells[name] for name in names)


def _choose(
    table: Table, names: tuple[str, ...], rows: list[tuple[Cell, ...]], kind: Kind | None, separator: str | None
) -> tuple[Kind, str, str | None]:
    cells = [row[0] for row in rows]
    guessed = separator or (SEPARATOR if _separates(cells, SEPARATOR) else None)
    if kind is not None:
        return kind, "given", (guessed or SEPARATOR) if kind == "multilabel" else None
    if separator is not None:
        return "multilabel", f"labels separated by {separator!r}, as given", separator
    if len(names) > 1:
        return "regression", f"{len(names)} target columns are a vector of numbers", None
    if all(_listed(cell) for cell in cells):
        return _of_lists(names[0], cells)
    numbers = [number_in(cell) for cell in cells]
    if all(number is not None for number in numbers) and names[0] not in table.class_names:
        return _of_numbers(names[0], cells, [number for number in numbers if number is not None])
    if guessed:
        return "multilabel", f"column {names[0]} holds labels separated by {guessed!r}", guessed
    return _of_texts(table, names[0], cells)


def _of_lists(name: str, cells: list[Cell]) -> tuple[Kind, str, str | None]:
    if all(getattr(getattr(cell, "dtype", None), "kind", "O") == "f" for cell in cells):
        return "regression", f"column {name} holds lists of numbers", None
    return "multilabel", f"column {name} holds lists", None


def _of_numbers(name: str, cells: list[Cell], numbers: list[float]) -> tuple[Kind, str, str | None]:
    fraction = next((number for number in numbers if not number.is_integer()), None)
    if fraction is not None:
        return "regression", f"column {name} holds numbers with fractions, such as {fraction:g}", None
    different = len(set(numbers))
    if different > FEW:
        return "regression", f"column {name} holds {different} different whole numbers, more than {FEW}", None
    return "classification", f"column {name} holds {different} different whole numbers", None


def _of_texts(table: Table, name: str, cells: list[Cell]) -> tuple[Kind, str, str | None]:
    classes = Counter(map(class_name, cells))
    if len(classes) > max(FEW, len(cells) // 2):
        raise TableError(
            f"table {table.name}, column {name!r}: found {len(classes)} different texts in {len(cells)} rows, which "
            "looks like free text; if they are classes, say so by --kind classification (kind=)"
        )
    return "classification", f"column {name} holds {len(classes)} different texts", None


def _separates(cells: list[Cell], separator: str) -> bool:
    """Whether the parts of cells come again in other combinations, each in one and a half different ones on average."""
    texts = {cell for cell in cells if isinstance(cell, str)}
    parts = Counter(part.strip() for text in texts for part in text.split(separator))
    return any(separator in text for text in texts) and parts.total() >= 1.5 * len(parts)


def _listed(cell: Cell) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)
