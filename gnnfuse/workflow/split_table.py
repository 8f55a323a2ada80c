"""The first step from a table to a task: the kind of its target, and its splits."""

from dataclasses import dataclass

from gnnfuse.tables import Splits, TableTarget, target_kind
from gnnfuse.train.plan import part_size
from gnnfuse.workflow.early_checks import check_classes, class_counts
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.table_splits import TableSplits, table_splits


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitTable:
    """A table's target and splits.

    Args:
        target: how targets are read.
        rows: the rows by split, readable or not.
    """

    target: TableTarget
    rows: TableSplits

    @property
    def splits(self) -> Splits:
        """How the rows were split: the rule in words, and the fractions."""
        return self.rows.splits


def split_table(request: FitRequest) -> SplitTable:
    """Choose the kind of target and split the rows; the observer receives both.

    Raises:
        ValueError: no target, class weights without classes, a threshold without labels, rows that cannot be split, no
            validation rows, or too few classes.
    """
    table, config = request.table, request.config
    if table.streaming:  # refused before the whole table is read
        part_size(config.batch_size, config.processes * config.accumulate, training=True)
    target = _target(request)
    found = SplitTable(target=target, rows=_rows(request, target))
    splits = found.splits
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in splits.named.items())
    request.observer.says(f"rows: {sizes}; {splits.rule}")
    if not len(splits.valid):
        raise ValueError(
            f"table {table.name}: found no validation rows ({splits.rule}), expected at least one: the epoch that is "
            "kept is chosen on them"
        )
    if not table.streaming and target.named:
        check_classes(table.name, target, class_counts(table, target, splits.train.tolist()))
    return found


def _target(request: FitRequest) -> TableTarget:
    table, options = request.table, request.options
    target = target_kind(table, request.columns, kind=options.kind, separator=options.separator)
    if options.class_weights and not target.named:
        raise ValueError(f"table {table.name}: found class_weights for a {target.kind}, which has no classes")
    if options.threshold is not None and target.kind != "multilabel":
        raise ValueError(f"table {table.name}: found a threshold for a {target.kind}, expected one for multilabel only")
    where = " in its first rows" if table.streaming and options.kind is None else ""
    request.observer.says(f"{target.kind}: {target.reason}{where}")
    return target


def _rows(request: FitRequest, target: TableTarget) -> TableSplits:
    with request.observer.begins("splitting rows", None) as advance:
        return table_splits(
            request.table, request.columns, target, fractions=request.options.fractions, seed=request.config.seed,
            leave_out=request.options.on_error != "stop", advance=advance,
        )  # fmt: skip
