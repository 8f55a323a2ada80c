"""A linear skip connection around a graph model, from the fitted linear member of the same rows."""

import torch
from torch import nn

from gnnfuse.fusion import PooledStates, WayAround
from gnnfuse.fusion.way_around import factors
from gnnfuse.tasks import EachModality, LinearHead, Objective, TargetObjective, Task
from gnnfuse.workflow.table_task import DROPOUT

ALONE = 0.3  # weight of the loss of each modality alone
SHARE = 0.3  # of what a graph model has learnt that is added to the linear model's outputs


@torch.no_grad()
def with_way_around(task: Task, linear: Task) -> Task:
    """A task that answers as a fitted linear one does until its model has learnt to add to that.

    The head's weights are fixed; the model learns vectors for them. Losses are without class weights and smoothing, as
    the linear task's was.

    Args:
        task: untrained, over a graph model.
        linear: fitted on the same rows, over `PooledStates` with a `LinearHead`.
    """
    assert isinstance(linear.model, PooledStates)
    assert isinstance(linear.head, LinearHead)
    solved = linear.head[1]
    assert isinstance(solved, nn.Linear)
    weight, inner = factors(solved.weight, task.model.dim)
    model = WayAround(task.model, linear.model, dropout=DROPOUT, share=SHARE)
    model.take(inner)
    head = LinearHead(task.model.dim, len(weight))
    last = head[1]
    assert isinstance(last, nn.Linear)
    last.weight.requires_grad_(False).copy_(weight)
    last.bias.copy_(solved.bias)
    return type(task)(model, task.builder, objectives=_objectives(task), head=head)  # type: ignore[call-arg]


def _objectives(task: Task) -> list[Objective]:
    """The loss that the linear task minimised, for the sum and, with a small weight, for each modality alone."""
    judge = task.judge
    several = "parts" in task.model.gives and len(task.model.modalities) > 1
    alone = several and isinstance(judge, TargetObjective)
    return [judge, EachModality(judge, weight=ALONE)] if alone else [judge]  # type: ignore[arg-type]
