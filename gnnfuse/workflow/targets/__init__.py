"""How each kind of a table's target becomes a task: one file for each."""

from gnnfuse.workflow.targets.class_task import ClassTask
from gnnfuse.workflow.targets.label_task import LabelTask
from gnnfuse.workflow.targets.number_task import NumberTask
from gnnfuse.workflow.targets.target_task import TargetTask

__all__ = ["ClassTask", "LabelTask", "NumberTask", "TargetTask"]
