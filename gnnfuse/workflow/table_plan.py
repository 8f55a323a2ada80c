"""A table and the task to train on it: the input of training, saving and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from gnnfuse import fit_defaults
from gnnfuse.nodes import CachedNodes
from gnnfuse.saving import uncached
from gnnfuse.tasks import Blend, Task, VectorHead
from gnnfuse.train import FitConfig
from gnnfuse.workflow.fit_request import FitRequest
from gnnfuse.workflow.split_table import SplitTable, split_table
from gnnfuse.workflow.table_task import is_small, table_task
from gnnfuse.workflow.targets.tasks import TASKS
from gnnfuse.workflow.usable_rows import UsableRows, usable_rows


@dataclass(frozen=True, eq=False, kw_only=True)
class TablePlan:
    """The results of the steps from a table to a task.

    Args:
        request: the arguments of `fit`.
        split: the table's target and splits.
        rows: its usable rows.
        task: the task, untrained until it is fitted.
    """

    request: FitRequest
    split: SplitTable
    rows: UsableRows
    task: Task

    @property
    def name(self) -> str:
        """The name of the task's model."""
        return (*self.request.options.neural, fit_defaults.MODEL)[0]

    @property
    def augments(self) -> bool:
        """Whether training samples are changed at random; cached features never are."""
        wanted = self.request.options.augment
        wanted = is_small(self.rows) if wanted is None else wanted
        return wanted and (self.task.builder.signal_dropout > 0 or bool(self.changing))

    @property
    def cached(self) -> tuple[str, ...]:
        """The signals whose features are read from a cache."""
        return tuple(node_type.signal for node_type in self.rows.nodes if isinstance(node_type, CachedNodes))

    def training(self, folder: Path, *, resume: bool) -> FitConfig:
        """How the task is trained, with checkpoints in a folder."""
        return replace(self.request.config, out=folder, augment=self.augments, resume=resume)

    def whole(self) -> Task:
        """The task as it is saved: it reads signals themselves, even if it was trained on cached features."""
        return uncached(self.task) if self.cached else self.task

    def over(self, blend: Blend, **covering: object) -> Task:
        """A task over a blend of tasks for this table, with `TargetTask.covering`."""
        make, more = TASKS[self.split.target.kind].make, self.request.options.of_task
        task: Task = make(blend, self.task.builder, head=VectorHead(), **more, **covering)
        return task

    def covering(self, task: Task, outputs: Tensor, targets: Tensor) -> Mapping[str, object]:
        """As `TargetTask.covering`; nothing if there are too few rows; the observer receives that reason."""
        try:
            return TASKS[self.split.target.kind].covering(task, outputs, targets)
        except ValueError as error:
            self.request.observer.says(f"no coverage is stated: {error}")
            return {}

    def what_changes(self) -> str:
        """What augmentation changes if it cannot act on cached features, in words."""
        cached = ", ".join(self.cached)
        if not self.augments:
            return f"cached signals ({cached}) are not changed at random, nor is anything else"
        acts = ["leaves out whole signals"] if self.task.builder.signal_dropout else []
        acts += [f"changes {', '.join(self.changing)}"] if self.changing else []
        return f"augmentation {' and '.join(acts)}; it cannot change cached signals ({cached})"

    @property
    def changing(self) -> tuple[str, ...]:
        """The signals that node types can change at random."""
        return tuple(each.signal for each in self.rows.nodes if each.augments and each.signal is not None)


def plan_table(request: FitRequest) -> TablePlan:
    """Split a table, read it and make its task.

    Raises:
        ValueError: as `gnnfuse.workflow.fit`.
    """
    split = split_table(request)
    rows = usable_rows(request, split)
    plan = TablePlan(request=request, split=split, rows=rows, task=table_task(request, split, rows))
    if plan.cached:
        request.observer.says(plan.what_changes())
    return plan
