"""The `TargetTask` of each kind of target, by name."""

from collections.abc import Mapping
from typing import Any

from gnnfuse.workflow.targets.class_task import ClassTask
from gnnfuse.workflow.targets.label_task import LabelTask
from gnnfuse.workflow.targets.number_task import NumberTask
from gnnfuse.workflow.targets.target_task import TargetTask

TASKS: Mapping[str, TargetTask[Any]] = {
    "classification": ClassTask(),
    "multilabel": LabelTask(),
    "regression": NumberTask(),
}
