"""Splits the rows of a stream into training, validation and test, in one pass over the deciding cells."""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from gnnfuse.fit_defaults import FRACTIONS
from gnnfuse.tables.columns import Columns
from gnnfuse.tables.error import TableError
from gnnfuse.tables.row_signals import id_in
from gnnfuse.tables.split_keys import Fractions, shares
from gnnfuse.tables.split_names import SYNONYMS
from gnnfuse.tables.split_rows import Splits, crossing, no_targets
from gnnfuse.tables.stream_split import StreamSplit
from gnnfuse.tables.table import Cells, Table
from gnnfuse.tables.table_target import TableTarget

NAMES = tuple(SYNONYMS)


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedSplits:
    """The splits of a stream, and the rule that repeats them in each pass.

    Args:
        splits: as for an indexed table.
        rule: assigns rows to splits, for `TableStream`.
        numbered: split -> row numbers in the order of that split's `TableStream`, including rows without a target.
    """

    splits: Splits
    rule: StreamSplit
    numbered: Mapping[str, Int64[np.ndarray, "rows"]]


def split_stream(
    table: Table,
    columns: Columns,
    target: TableTarget | None,
    *,
    fractions: Fractions = FRACTIONS,
    seed: int = 0,
    leave_out: bool = False,
    advance: Callable[[], object] | None = None,
) -> StreamedSplits:
    """The splits in the split column, or those of `StreamSplit`: a hash of each row's group, id or number.

    Keeps a few bytes per row, and the names of groups if a split column must keep them together.

    Args:
        table: the table, streaming or not.
        columns: names the columns of ids, splits and groups.
        target: how targets are read; None lets every row in.
        fractions: of training, validation and test; they hold on average.
        seed: of the hash.
        leave_out: let rows without a target belong to no split; otherwise they are an error.
        advance: called after each row, for a progress bar.

    Raises:
        TableError: no rows for training, rows without a target, an unknown split, or a group in two given splits.

    Example:
        >>> from gnnfuse.tables import open_table
        >>> table = open_table([{"text": "a", "part": "train"}, {"text": "b", "part": "dev"}], streaming=True)
        >>> found = split_stream(table, Columns(text=("text",), split="part"), None)
        >>> found.splits.valid.tolist(), found.splits.rule
        ([1], "column 'part': 1 train, 1 valid, 0 test")
    """
    table = table.reading(columns)
    rule = StreamSplit.of(columns, fractions=fractions, seed=seed)
    moving = replace(rule, valid_from_train=True)  # if the column turns out to name no validation rows
    targets = () if target is None else target.columns
    given, moved, missing = array("b"), array("b"), array("q")
    homes: dict[str, str] = {}
    for row, cells in enumerate(table.each(dict.fromkeys([*rule.columns, *targets]))):
        split = rule.split_of(row, cells)
        given.append(NAMES.index(split))
        if rule.column is not None:
            moved.append(NAMES.index(moving.split_of(row, cells)))
            _refuse_crossing(table, columns, row, cells, split, homes)
        if target is not None and target.lacks(cells):
            missing.append(row)
        if advance is not None:
            advance()
    without_target = np.array(missing, dtype=np.int64)
    if len(without_target) and not leave_out:
        raise no_targets(table, columns, without_target, len(given))
    names_train, names_valid = (NAMES.index(name) in given for name in ("train", "valid"))
    if rule.column is not None and names_train and not names_valid and fractions[1] > 0:
        rule = moving
    which = np.array(moved if rule is moving else given, dtype=np.int8)
    counts = np.bincount(np.delete(np.array(given, dtype=np.int64), without_target), minlength=len(NAMES)).tolist()
    numbered = {name: np.flatnonzero(which == place) for place, name in enumerate(NAMES)}
    how, dealt = _in_words(columns, rule, counts)
    if not len(numbered["train"]):
        raise TableError(f"table {table.name}: {how}, expected rows for training")
    kept = numbered
    if len(without_target):
        kept = {name: np.setdiff1d(rows, without_target, assume_unique=True) for name, rows in numbered.items()}
    splits = Splits(**kept, without_target=without_target, rule=how, fractions=dealt)
    return StreamedSplits(splits=splits, rule=rule, numbered=numbered)


def _refuse_crossing(table: Table, columns: Columns, row: int, cells: Cells, split: str, homes: dict[str, str]) -> None:
    cell = None if columns.group is None else cells[columns.group]
    if cell is not None:
        name = f"group {id_in(cell)}"
        if homes.setdefault(name, split) != split:
            raise crossing(table, columns, row, name, homes[name], split)


def _in_words(columns: Columns, rule: StreamSplit, counts: list[int]) -> tuple[str, Fractions | None]:
    what = "group names" if columns.group is not None else "ids" if columns.id is not None else "row numbers"
    drawn = f"drawn row by row from {what} with seed {rule.seed}: shares hold on average, nothing is stratified"
    if rule.column is None:
        return f"by rule, {shares(rule.fractions)}, {drawn}", rule.fractions
    how = f"column {rule.column!r}: {', '.join(f'{n} {name}' for n, name in zip(counts, NAMES, strict=True))}"
    if not rule.valid_from_train:
        return how, None
    train, valid, _ = rule.fractions
    share = (train / (train + valid), valid / (train + valid), 0.0)
    return f"{how}; validation taken from training by rule, {shares(share)}, {drawn}", share
