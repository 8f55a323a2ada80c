"""Kinds of target: each has a way to be read, a task, and a name that the command takes."""

from typing import get_args

from gnnfuse.fit_defaults import Kind
from gnnfuse.fusion import Unimodal
from gnnfuse.graph import ClassTarget, GraphBuilder, LogTail, MultiLabelTarget, NumberTarget
from gnnfuse.nodes import TextTokens
from gnnfuse.tables.target_kind import KINDS
from gnnfuse.tasks import Classification, MultiLabel, Prediction, Regression
from gnnfuse.workflow.targets import ClassTask, LabelTask, NumberTask
from gnnfuse.workflow.targets.tasks import TASKS


def test_every_kind_that_can_be_asked_for_is_read_and_learnt() -> None:
    assert set(KINDS) == set(TASKS) == set(get_args(Kind))


def test_every_kind_has_a_plot_of_its_own() -> None:
    assert len({kind.plot for kind in TASKS.values()}) == len(TASKS)


def test_the_reliability_drawn_is_that_of_the_calibration_error() -> None:
    """Of classes the most probable one counts, which need not be predicted; of labels every one."""
    words = GraphBuilder([TextTokens()], target=ClassTarget(("a", "b")))
    model = Unimodal(words.node_types, dim=8, depth=1)
    said = [Prediction("1", "b", {"a": 0.75, "b": 0.25}), Prediction("2", "b", {"a": 0.5, "b": 0.5})]
    found = ClassTask().certainties(Classification(model, words), ["a", "b"], said)
    assert found == ([0.75, 0.5], [True, False])
    task = MultiLabel(model, GraphBuilder([TextTokens()], target=MultiLabelTarget(("a", "b"))))
    assert LabelTask().certainties(task, [("b",), ()], said) == ([0.75, 0.25, 0.5, 0.5], [False, True, False, False])
    numbers = Regression(model, GraphBuilder([TextTokens()], target=NumberTarget()))
    assert NumberTask().certainties(numbers, [1.0], [Prediction("1", 1.0)]) == ((), ())
    assert [kind.certain is None for kind in TASKS.values()] == [False, False, True]


def test_what_is_learnt_as_a_logarithm_is_told_by_name() -> None:
    log = LogTail(about=12.0, unit=350.0, reach=50.0)
    [line] = NumberTask().notes(NumberTarget(transforms=(log,)), ("price",))
    assert line.startswith("price is skewed: learnt as log(1 + x) with x = (price - 12) / 350; ")
    [line] = NumberTask().notes(NumberTarget(2, names=("a", "b"), transforms=(None, log)), ("y",))
    assert line.startswith("b is skewed")
    marks = NumberTarget(transforms=(LogTail(about=100.0, unit=-5.0, reach=50.0),))
    assert "learnt as -log(1 + x) with x = (100 - marks) / 5; " in NumberTask().notes(marks, ("marks",))[0]
    assert NumberTask().notes(NumberTarget(), ("price",)) == []
