"""The rows of a table as its members learn from them: graphs, targets, folds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gnnfuse.catalog import listed
from gnnfuse.fit_defaults import Preset
from gnnfuse.graph import ClassTarget
from gnnfuse.reading import UsableSamples
from gnnfuse.tables.split_rows import row_groups
from gnnfuse.train import prepare
from gnnfuse.train.graphs import graph_bytes
from gnnfuse.workflow.members.folds import folds_for, held_out_rows, single_split
from gnnfuse.workflow.members.member import MemberRows, targets_of
from gnnfuse.workflow.members.presets import PRESETS
from gnnfuse.workflow.table_plan import TablePlan
from gnnfuse.workflow.training_samples import GIB, IN_MEMORY


def member_samples(plan: TablePlan) -> UsableSamples:
    """The training rows, then the validation rows."""
    train, valid = plan.rows.samples["train"], plan.rows.samples["valid"]
    assert isinstance(train, UsableSamples)
    assert isinstance(valid, UsableSamples)
    return replace(train, places=np.concatenate([train.places, valid.places]))


def why_alone(plan: TablePlan) -> str | None:
    """Why a table cannot have members, so that one model is trained alone; None if it can."""
    if plan.request.table.streaming:
        return "a streaming table is read in order, in every epoch"
    if plan.request.config.processes > 1:
        return "several processes train one model"
    samples = member_samples(plan)
    size = graph_bytes(plan.task.builder, samples)
    if size > IN_MEMORY:
        return f"their rows would take about {size / GIB:,.1f} GiB of memory, more than {IN_MEMORY / GIB:,.0f} GiB"
    return None


def member_rows(plan: TablePlan) -> MemberRows:
    """The rows, with their graphs and folds.

    Raises:
        ValueError: fewer rows or groups than folds.
    """
    samples, options = member_samples(plan), plan.request.options
    with plan.request.observer.begins("building graphs", len(samples)) as advance:
        graphs = prepare(plan.task.builder, samples, advance=advance)
    targets = targets_of(graphs)
    groups = _groups(plan, samples)
    count = options.folds or _usual_folds(options.preset, len(samples), groups)
    if count == 1:
        held_out, rule = single_split(plan.rows.sizes["train"], plan.rows.sizes["valid"])
    else:
        classes = targets.tolist() if isinstance(plan.task.builder.target, ClassTarget) else None
        try:
            held_out, rule = held_out_rows(
                count, rows=len(samples), classes=classes, groups=groups, seed=plan.request.config.seed
            )
        except ValueError as error:
            raise ValueError(f"table {plan.request.table.name}: {error}; --folds changes their number") from error
    rows = MemberRows(graphs=graphs, targets=targets, held_out=held_out, refit=count > 1, rule=rule, groups=groups)
    if lacking := _not_learnt(plan, rows):
        plan.request.observer.says(
            f"not learnt in every fold: class {listed(lacking)}, of which there are too few rows or groups; where it "
            "is not learnt, its rows count as errors"
        )
    return rows


def _usual_folds(preset: Preset, rows: int, groups: Sequence[str] | None) -> int:
    """The preset's number of folds, or that of groups if there are fewer; 1, a single split, for one group."""
    return min(PRESETS[preset].folds or folds_for(rows), rows if groups is None else len(set(groups)))


def _not_learnt(plan: TablePlan, rows: MemberRows) -> list[str]:
    """The classes of held-out rows of which their fold learns no row."""
    target = plan.task.builder.target
    if not isinstance(target, ClassTarget):
        return []
    found = {
        int(number)
        for fold, held_out in enumerate(rows.held_out)
        for number in set(rows.targets[list(held_out)].tolist()) - set(rows.targets[rows.learnt_in(fold)].tolist())
    }
    return [repr(target.classes[number]) for number in sorted(found)]


def _groups(plan: TablePlan, samples: UsableSamples) -> list[str] | None:
    column = plan.request.columns.group
    if column is None:
        return None
    groups = row_groups(plan.request.table, column)
    return [groups[place] for place in samples.places.tolist()]
