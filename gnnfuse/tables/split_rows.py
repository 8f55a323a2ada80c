"""Assigns the rows of a table to training, validation and test."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from gnnfuse.fit_defaults import FRACTIONS
from gnnfuse.sample.files import shown
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.error import TableError
from gnnfuse.tables.row_signals import id_in, row_name
from gnnfuse.tables.split_keys import Fractions, check_fractions, shares, split_key
from gnnfuse.tables.strata import strata
from gnnfuse.tables.stratify import split_groups, split_stratified
from gnnfuse.tables.stream_split import split_in
from gnnfuse.tables.table import Table
from gnnfuse.tables.table_target import TableTarget


@dataclass(frozen=True, eq=False, kw_only=True)
class Splits:
    """Row numbers, from 0 and ascending.

    Args:
        train: rows to learn from.
        valid: rows to choose settings with.
        test: rows to open once.
        without_target: rows that belong to no split because their target is empty.
        rule: how the splits were made, in words.
        fractions: the shares by which rows were dealt out; None if a column assigns all rows.
    """

    train: Int64[np.ndarray, "train"]
    valid: Int64[np.ndarray, "valid"]
    test: Int64[np.ndarray, "test"]
    without_target: Int64[np.ndarray, "rest"]
    rule: str
    fractions: Fractions | None

    @property
    def named(self) -> Mapping[str, Int64[np.ndarray, "rows"]]:
        """The three splits by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


def split_rows(
    table: Table,
    columns: Columns,
    target: TableTarget | None,
    *,
    fractions: Fractions = FRACTIONS,
    seed: int = 0,
    leave_out: bool = False,
) -> Splits:
    """The splits in the split column, or splits made by rule.

    The rule: every row (or group) has a key, a hash of the seed and its id (the group's name; the row's number without
    ids). Rows are dealt out class by class in the order of their keys, so that each class is divided by the fractions,
    up to one row; for regression, ten equally populated ranges replace classes, and for labels, each row's rarest
    label. The first row of each class is in training. With ids, the splits do not depend on the order of the rows.
    Groups are dealt out whole, the largest first, each to the split that most lacks its classes. If a split column
    names training but no validation rows, these are taken from training by the same rule.

    Args:
        table: the table.
        columns: names the columns of ids, splits and groups.
        target: how targets are read; None stratifies nothing and lets every row in.
        fractions: of training, validation and test.
        seed: of the keys.
        leave_out: let rows without a target belong to no split; otherwise they are an error.

    Raises:
        TableError: rows without a target, an unknown split, no training rows, a group in two given splits, too few
            groups for the splits, or a class whose groups all went to validation and test.

    Example:
        >>> from gnnfuse.tables import open_table, target_kind
        >>> table = open_table([{"text": str(n), "label": "ab"[n % 2]} for n in range(20)])
        >>> columns = Columns(text=("text",), target=("label",))
        >>> splits = split_rows(table, columns, target_kind(table, columns))
        >>> len(splits.train), len(splits.valid), len(splits.test)
        (14, 3, 3)
    """
    check_fractions(fractions)
    table = table.reading(columns)
    classes, missing = strata(table, target)
    if len(missing) and not leave_out:
        raise no_targets(table, columns, missing, len(table))
    rows = np.setdiff1d(np.arange(len(table)), missing)
    if not len(rows):
        raise TableError(f"table {table.name}: found no rows to split")
    groups = None if columns.group is None else row_groups(table, columns.group)
    deal = _Deal(table, columns, classes, groups, seed)
    given = _given(table, columns.split, rows)
    dealt: Fractions | None
    if given is None:
        parts, dealt, how = deal(rows, fractions), fractions, f"by rule, {shares(fractions)}"
    else:
        _refuse_crossing(table, columns, groups, given)
        parts, dealt, how = _with_valid(table, columns, given, deal, fractions)
    by_class = target is not None and target.strata_are_classes
    if by_class and groups is not None and dealt is not None and not leave_out:
        _refuse_unlearnt(table, columns, classes, parts)
    return Splits(
        train=parts[0],
        valid=parts[1],
        test=parts[2],
        without_target=missing,
        rule=how + ("" if dealt is None else deal.words),
        fractions=dealt,
    )


@dataclass(frozen=True, eq=False)
class _Deal:
    """Deals rows out by rule."""

    table: Table
    columns: Columns
    classes: Int64[np.ndarray, "rows"]
    groups: list[str] | None
    seed: int

    def __call__(self, rows: Int64[np.ndarray, "rows"], fractions: Fractions) -> tuple[np.ndarray, ...]:
        try:
            if self.groups is not None:
                names = [self.groups[row] for row in rows.tolist()]
                return split_groups(rows, self.classes[rows], names, fractions, self.seed)
            keys = np.array([split_key(name, self.seed) for name in self._names(rows)], dtype=np.uint64)
            return split_stratified(rows, self.classes[rows], keys, fractions, self.seed)
        except ValueError as error:
            raise TableError(f"table {self.table.name}: {error}") from error

    def _names(self, rows: Int64[np.ndarray, "rows"]) -> list[str]:
        if self.columns.id is None:
            return [row_name(row, None) for row in rows.tolist()]
        cells = self.table.column(self.columns.id)
        return [row_name(row, cells[row]) for row in rows.tolist()]

    @property
    def words(self) -> str:
        what = f"groups of column {self.columns.group!r} kept together" if self.groups is not None else "stratified"
        names = "ids" if self.columns.id is not None else "row numbers"
        return f", {what}, drawn from {names if self.groups is None else 'group names'} with seed {self.seed}"


def row_groups(table: Table, column: str) -> list[str]:
    """Each row's group; a row without one is its own group.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> row_groups(open_table([{"who": "Ann"}, {"who": None}]), "who")
        ['group Ann', 'row 2 alone']
    """
    cells = table.column(column)
    return [f"row {row + 1} alone" if cell is None else f"group {id_in(cell)}" for row, cell in enumerate(cells)]


def _given(table: Table, column: str | None, rows: np.ndarray) -> dict[str, np.ndarray] | None:
    if column is None:
        return None
    cells = table.column(column)
    found = np.array([split_in(column, row, {column: cells[row]}) for row in rows.tolist()])
    return {split: rows[found == split] for split in ("train", "valid", "test")}


def _refuse_crossing(table: Table, columns: Columns, groups: list[str] | None, given: Mapping[str, np.ndarray]) -> None:
    home: dict[str, str] = {}
    for split, rows in given.items():
        for row in rows.tolist() if groups is not None else ():
            assert groups is not None
            if home.setdefault(groups[row], split) != split:
                raise crossing(table, columns, row, groups[row], home[groups[row]], split)


def _refuse_unlearnt(
    table: Table, columns: Columns, classes: Int64[np.ndarray, "rows"], parts: tuple[np.ndarray, ...]
) -> None:
    """Refuse a division of groups that leaves training without a class."""
    for split, rows in zip(("validation", "test"), parts[1:], strict=True):
        unlearnt = rows[~np.isin(classes[rows], classes[parts[0]])]
        if len(unlearnt):
            row = int(unlearnt[0])
            cells = table.cells(row, (columns.target[0], str(columns.group)))
            name, group = (shown(cell) for cell in cells.values())
            raise TableError(
                f"table {table.name}, row {row + 1}: training has no rows of class {name}, as groups of column "
                f"{columns.group!r} ({group} here, for {split}) are kept whole and too few have this class; expected "
                "several groups for each class, a column of splits, or on_error skip (--on-error skip) to "
                "leave such rows out"
            )


def _with_valid(
    table: Table, columns: Columns, given: Mapping[str, np.ndarray], deal: _Deal, fractions: Fractions
) -> tuple[tuple[np.ndarray, ...], Fractions | None, str]:
    counts = Counter({split: len(rows) for split, rows in given.items()})
    how = f"column {columns.split!r}: " + ", ".join(f"{counts[split]} {split}" for split in given)
    if not counts["train"]:
        raise TableError(f"table {table.name}: {how}, expected rows for training")
    if counts["valid"] or fractions[1] == 0:
        return (given["train"], given["valid"], given["test"]), None, how
    whole = fractions[0] + fractions[1]
    share = (fractions[0] / whole, fractions[1] / whole, 0.0)
    train, valid, _ = deal(given["train"], share)
    return (train, valid, given["test"]), share, f"{how}; validation taken from training by rule, {shares(share)}"


def no_targets(table: Table, columns: Columns, missing: Int64[np.ndarray, "rows"], count: int) -> TableError:
    """The error for rows without a target, of `count`."""
    names = f"column{'s' if len(columns.target) > 1 else ''} {', '.join(map(repr, columns.target))}"
    return TableError(
        f"table {table.name}: {len(missing)} of {count} rows have no target (the first: row {missing[0] + 1}); fill "
        f"{names}, or leave those rows out with on_error skip (--on-error skip)"
    )


def crossing(table: Table, columns: Columns, row: int, group: str, home: str, split: str) -> TableError:
    """The error for a group whose rows are assigned to two splits."""
    return TableError(
        f"table {table.name}, row {row + 1}: {group} of column {columns.group!r} is in split {home!r} and again in "
        f"{split!r}, expected every group in one"
    )
