"""Objectives that do not fit are refused when they are passed, in one line that names both sides."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Concat, Fused, Unimodal
from gnnfuse.graph import (
    ClassTarget,
    GraphBuilder,
    MultiLabelTarget,
    NodeTarget,
    NumberTarget,
    Ragged,
    TargetEncoding,
)
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import (
    BatchObjective,
    BinaryCrossEntropy,
    Classification,
    CrossEntropy,
    EachModality,
    MultiLabel,
    NodeClassification,
    NodeCrossEntropy,
    Objective,
    Regression,
    SquaredError,
    Step,
    TargetObjective,
    Task,
)
from gnnfuse.tasks.objectives import FocalLoss, Huber, LeftOut
from gnnfuse.testing import example_builder

pytestmark = pytest.mark.usefixtures("unchecked")  # which would refuse some arguments first

TASKS: dict[Callable[..., Task], tuple[TargetEncoding, str]] = {
    Classification: (ClassTarget(("cat", "dog")), "class"),
    MultiLabel: (MultiLabelTarget(("red", "round")), "labels"),
    Regression: (NumberTarget(2), "numbers"),
    NodeClassification: (NodeTarget("text", ("noun", "verb")), "node classes"),
}


class AnyTarget(TargetObjective):
    """Of outputs and targets of whatever kind."""

    name = "any"

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return outputs.sum() * 0.0


class Spread(BatchObjective):
    name = "spread"

    def loss(self, fused: Fused, target: Tensor) -> Tensor:
        return fused.vector.var()


class OfTheStep(Objective):
    name = "of_the_step"

    def forward(self, step: Step) -> Tensor:
        return step.outputs.sum() * 0.0


OBJECTIVES: list[tuple[Objective, set[str]]] = [
    (CrossEntropy(), {"class"}),
    (FocalLoss(), {"class"}),
    (BinaryCrossEntropy(), {"labels"}),
    (SquaredError(), {"numbers"}),
    (Huber(), {"numbers"}),
    (NodeCrossEntropy(), {"node classes"}),
    (LeftOut(SquaredError()), {"numbers"}),
    (AnyTarget(), {"class", "labels", "numbers"}),
    (Spread(), {"class", "labels", "numbers"}),
    (OfTheStep(), {"class", "labels", "numbers", "node classes"}),
]


def task_of(kind: Callable[..., Task], objectives: Any) -> Task:
    builder = GraphBuilder([TextTokens()], target=TASKS[kind][0])
    return kind(Unimodal.of(builder, dim=8, depth=1), builder, objectives=objectives)


def classification(objectives: Any) -> Task:
    return task_of(Classification, objectives)


@pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("objective", "reads"), OBJECTIVES, ids=lambda value: getattr(value, "name", ""))
def test_an_objective_of_another_kind_of_target_is_refused(
    kind: type[Task], objective: Objective, reads: set[str]
) -> None:
    encoding, found = TASKS[kind]
    if found in reads:
        assert task_of(kind, [objective]).objectives[0] is objective
        return
    known = " or ".join(sorted(reads))
    both = f"reads a target of kind {known}, {type(encoding).__name__} gives {found}"
    message = f"^{kind.__name__}: objective '{re.escape(objective.name)}' {both}$"
    with pytest.raises(ValueError, match=message):
        task_of(kind, [objective])


def test_each_modality_reads_what_its_objective_reads() -> None:
    builder = example_builder(target=NumberTarget())
    model = Concat.of(builder, dim=8, depth=1)
    with pytest.raises(ValueError, match="'cross_entropy_of_each_modality' reads a target of kind class, NumberTarget"):
        Regression(model, builder, objectives=[EachModality(CrossEntropy())])
    assert Regression(model, builder, objectives=[EachModality(SquaredError())])


@dataclass(frozen=True)
class Words(TargetEncoding):
    """Any number of rows per sample, of a kind that it does not state."""

    classes: tuple[str, ...] = ("cat", "dog")

    def encode(self, sample: Sample) -> Tensor:
        return torch.tensor([0, 1])

    def collate(self, encoded: Sequence[Tensor]) -> Ragged:
        return Ragged.joined(list(encoded))


class OfWords(Classification):
    """A task of the user's own."""

    def __init__(self, objective: Objective) -> None:
        builder = GraphBuilder([TextTokens()], target=Words())
        model = Unimodal.of(builder, dim=8, depth=1)
        Task.__init__(
            self, model, builder, head=torch.nn.Linear(8, 2), outputs=2, objectives=[objective], judge=CrossEntropy()
        )


@pytest.mark.parametrize("objective", [CrossEntropy(), LeftOut(CrossEntropy()), Spread()], ids=lambda one: one.name)
def test_rows_of_an_encoding_without_a_kind_are_refused_at_the_first_step(objective: Objective) -> None:
    task = OfWords(objective)
    step = task.step(task.builder([Sample({"text": "a"}, "cat"), Sample({"text": "b"}, "dog")]))
    with pytest.raises(ValueError, match="found a target of several rows per sample, expected one row for each"):
        task.losses(step)


def test_node_classes_are_not_read_from_one_row_per_sample() -> None:
    task = classification(None)
    step = task.step(task.builder([Sample({"text": "a"}, "cat")]))
    with pytest.raises(
        ValueError, match="NodeCrossEntropy: found a target of one row per sample, expected one row per"
    ):
        NodeCrossEntropy()(step)


class Nameless(OfTheStep):
    name = ""


class Unnamed(Objective):
    def forward(self, step: Step) -> Tensor:
        return step.outputs.sum()


class ForgetsItsBase(OfTheStep):
    def __init__(self) -> None:
        self.factor = 2.0


class OfModuleAlone(OfTheStep):
    def __init__(self) -> None:
        torch.nn.Module.__init__(self)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (CrossEntropy(), "found a CrossEntropy as objectives, expected a list of Objective objects"),
        ("cross_entropy", "found a str as objectives, expected a list"),
        ({CrossEntropy()}, "found a set as objectives, expected a list"),
        ((each for each in [CrossEntropy()]), "found a generator as objectives, expected a list"),
        ([], "found no objectives, expected at least one"),
        ([CrossEntropy], r"found the class CrossEntropy, expected an Objective object: CrossEntropy\(\)"),
        (["cross_entropy"], "found a str, expected an Objective object"),
        ([torch.nn.CrossEntropyLoss()], "found a CrossEntropyLoss, expected an Objective object"),
        ([Unnamed()], "found a Unnamed with name=None, expected a name for its value in logs"),
        ([Nameless()], "found a Nameless with name='', expected a name"),
        (
            [ForgetsItsBase()],
            r"found a ForgetsItsBase without a weight, expected .* to call super\(\).__init__\(weight\)",
        ),
        ([OfModuleAlone()], "found a OfModuleAlone without a weight"),
        ([CrossEntropy(), CrossEntropy(weight=0.1)], "found two objectives named 'cross_entropy', expected different"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_list_of_usable_objectives_is_refused(objectives: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^Classification: {message}") as error:
        classification(objectives)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("owner", [LeftOut, EachModality])
def test_so_is_what_another_objective_is_made_of(owner: type[LeftOut] | type[EachModality]) -> None:
    for found, message in (
        (CrossEntropy, r"found the class CrossEntropy, expected an Objective object: CrossEntropy\(\)"),
        (3, "found a int, expected an Objective object"),
        (NodeCrossEntropy(), "found a NodeCrossEntropy, expected an objective of outputs and targets alone"),
    ):
        with pytest.raises(ValueError, match=f"^{owner.__name__}: {message}"):
            owner(found)  # type: ignore[arg-type]


class Judged(Classification):
    """A task of the user's own, with a judge or a monitor that does not fit."""

    def __init__(self, judge: Any) -> None:
        builder = GraphBuilder([TextTokens()], target=TASKS[Classification][0])
        model = Unimodal.of(builder, dim=8, depth=1)
        Task.__init__(self, model, builder, head=torch.nn.Linear(8, 2), objectives=[CrossEntropy()], judge=judge)


class MonitorsNothing(Judged):
    monitor = None  # type: ignore[assignment]


def test_a_judge_and_a_monitor_are_checked_too() -> None:
    with pytest.raises(ValueError, match=r"^Judged, judge: objective 'squared_error' reads a target of kind numbers"):
        Judged(SquaredError())
    with pytest.raises(ValueError, match=r"^Judged, judge: found the class CrossEntropy, expected an Objective object"):
        Judged(CrossEntropy)
    with pytest.raises(
        ValueError, match=r"^MonitorsNothing: found monitor=None, expected the name of one of its metrics"
    ):
        MonitorsNothing(CrossEntropy())


def test_two_probabilities_of_leaving_out_are_two_losses() -> None:
    task = classification([LeftOut(CrossEntropy(), probability=0.2), LeftOut(CrossEntropy(), probability=0.6)])
    step = task.step(task.builder([Sample({"text": "a"}, "cat")]))
    assert list(task.losses(step)) == [f"cross_entropy_with_signals_left_out_at_{each}" for each in (0.2, 0.6)]
    assert len(step.views) == 2


class NamesItAlike(Unimodal):
    def fuse(self, states: Any, batch: Any) -> Fused:
        return super().fuse(states, batch)._replace(losses={"cross_entropy": torch.zeros(())})


def test_a_loss_of_the_model_does_not_take_an_objective_s_place() -> None:
    builder = GraphBuilder([TextTokens()], target=TASKS[Classification][0])
    task = Classification(NamesItAlike.of(builder, dim=8, depth=1), builder)
    with pytest.raises(ValueError, match="NamesItAlike gives a loss named 'cross_entropy', expected another name"):
        task.losses(task.step(builder([Sample({"text": "a"}, "cat")])))


NUMBERS: list[tuple[Callable[[Any], object], str, list[object]]] = [
    (lambda found: CrossEntropy(weight=found), "CrossEntropy: found weight=", [0, -1]),
    (lambda found: NodeCrossEntropy(weight=found), "NodeCrossEntropy: found weight=", [0, -1]),
    (lambda found: EachModality(CrossEntropy(), weight=found), "EachModality: found weight=", [0, -1]),
    (lambda found: CrossEntropy(label_smoothing=found), "CrossEntropy: found label_smoothing=", [-0.1, 1.0, 2]),
    (lambda found: Huber(found), "Huber: found delta=", [0, -1]),
    (lambda found: FocalLoss(gamma=found), "FocalLoss: found gamma=", [-0.1]),
    (lambda found: LeftOut(CrossEntropy(), probability=found), "LeftOut: found probability=", [0, 1, -0.1]),
    (lambda found: CrossEntropy(class_weights=(1.0, found)), "class_weights must be positive numbers", [0, -1]),
    (lambda found: FocalLoss(class_weights=found), "class_weights must be positive numbers", [3.0, {"cat": 1.0}]),
]


@pytest.mark.parametrize(("make", "message", "further"), NUMBERS, ids=lambda value: value if type(value) is str else "")
def test_numbers_of_objectives_are_numbers_in_their_range(
    make: Callable[[Any], object], message: str, further: list[object]
) -> None:
    for found in (math.nan, math.inf, -math.inf, "a", None if "class_weights" not in message else "b", *further):
        with pytest.raises(ValueError, match=f"^{message}"):
            make(found)


def test_numbers_of_heads_are_checked_too() -> None:
    builder = GraphBuilder([TextTokens()], target=TASKS[MultiLabel][0])
    model = Unimodal.of(builder, dim=8, depth=1)
    with pytest.raises(ValueError, match="the head: found dropout=nan, expected at least 0 and below 1"):
        MultiLabel(model, builder, dropout=math.nan)
    with pytest.raises(ValueError, match="MultiLabel: found threshold=nan, expected above 0 and below 1"):
        MultiLabel(model, builder, threshold=math.nan)


def test_weights_of_arrays_can_be_saved() -> None:
    for weights in (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]).numpy(), [1, 2]):
        objective = CrossEntropy(class_weights=weights)  # type: ignore[arg-type]
        assert objective.class_weights == (1.0, 2.0)
        assert all(type(weight) is float for weight in objective.class_weights)
