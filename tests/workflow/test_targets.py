"""Kinds of target: each has a way to be read, a task, and a name that the command takes."""

from typing import get_args

from gnnfuse.fit_defaults import Kind
from gnnfuse.tables.target_kind import KINDS
from gnnfuse.workflow.targets.tasks import TASKS


def test_every_kind_that_can_be_asked_for_is_read_and_learnt() -> None:
    assert set(KINDS) == set(TASKS) == set(get_args(Kind))


def test_every_kind_has_a_plot_of_its_own() -> None:
    assert len({kind.plot for kind in TASKS.values()}) == len(TASKS)
