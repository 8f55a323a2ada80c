"""Training on what each modality predicts alone, against loops over samples and modalities."""

from collections.abc import Callable

import pytest
import torch

from gnnfuse.fusion import Concat, FusionModel, GraphFusion, JointTransformer
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.readout import AdditiveReadout
from gnnfuse.sample import Sample
from gnnfuse.tasks import (
    BinaryCrossEntropy,
    Classification,
    CrossEntropy,
    EachModality,
    MultiLabel,
    Objective,
    Regression,
    SquaredError,
    TargetObjective,
    Task,
)
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.train.lightning_task import compiled

DIM, WEIGHT = 8, 0.3
KINDS: list[tuple[TargetEncoding, list[object], type[Task], TargetObjective]] = [
    (
        ClassTarget(("cat", "dog")),
        ["cat", "dog"],
        Classification,
        CrossEntropy(label_smoothing=0.1, class_weights=(0.5, 2.0)),
    ),
    (
        MultiLabelTarget(("red", "round")),
        [["red"], ["red", "round"], []],
        MultiLabel,
        BinaryCrossEntropy(class_weights=(3.0, 1.0)),
    ),
    (NumberTarget(2, mean=(1.0, 2.0), scale=(2.0, 3.0)), [(1.0, 5.0), (0.0, -1.0)], Regression, SquaredError()),
]


def additive(builder: GraphBuilder) -> GraphFusion:
    torch.manual_seed(0)
    readout = AdditiveReadout(DIM, builder.modalities)
    return GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, readout=readout)


def concat(builder: GraphBuilder) -> Concat:
    torch.manual_seed(0)
    return Concat(builder.node_types, dim=DIM, depth=1)


def samples(targets: list[object]) -> list[Sample]:
    drawn = random_samples(torch.Generator().manual_seed(0))
    return [Sample(one.signals, targets[place % len(targets)], one.id) for place, one in enumerate(drawn)]


def task_of(
    kind: type[Task], model: FusionModel, builder: GraphBuilder, objective: TargetObjective, weight: float = WEIGHT
) -> Task:
    objectives: list[Objective] = [objective, EachModality(objective, weight=weight)]
    return kind(model, builder, objectives=objectives)  # type: ignore[call-arg]  # the head is that of the kind


@pytest.mark.parametrize("make", [additive, concat])
@pytest.mark.parametrize(("target", "targets", "kind", "objective"), KINDS)
def test_each_answer_alone_is_a_loss_of_its_own(
    target: TargetEncoding,
    targets: list[object],
    kind: type[Task],
    objective: TargetObjective,
    make: Callable[[GraphBuilder], FusionModel],
) -> None:
    builder = example_builder(target=target)
    task = task_of(kind, make(builder), builder, objective)
    step = task.step(builder(samples(targets), empty=True))
    losses = task.losses(step)
    name = objective.name
    assert isinstance(step.target, torch.Tensor)
    assert list(losses) == [name, f"{name}_of_each_modality"]
    assert torch.equal(losses[name], objective.loss(step.outputs, step.target))

    summed = torch.zeros(())
    counts = set()
    parts, present = step.fused.parts, step.fused.present
    assert parts is not None
    assert present is not None
    for graph in range(len(step.batch)):
        for place in range(len(step.batch.modalities)):
            if present[graph, place]:
                one = step.target[graph : graph + 1]
                summed = summed + objective.loss(task.head(parts[graph, place][None]), one)
        counts.add(int(present[graph].sum()))
    assert counts == {0, 1, 2, 3}
    torch.testing.assert_close(losses[f"{name}_of_each_modality"], WEIGHT * summed / len(step.batch))


def test_a_batch_without_any_modality_adds_nothing() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    task = task_of(Classification, additive(builder), builder, CrossEntropy())
    losses = task.losses(task.step(builder([Sample({}, "cat")], empty=True)))
    assert float(losses["cross_entropy_of_each_modality"]) == 0.0


def test_every_modality_of_a_sample_gets_a_gradient_of_its_own() -> None:
    """The fused answer may be right already: what a modality predicts alone is not."""
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    task = task_of(Classification, additive(builder), builder, CrossEntropy())
    losses = task.losses(task.step(builder(samples(["cat", "dog"]), empty=True)))
    losses["cross_entropy_of_each_modality"].backward()  # type: ignore[no-untyped-call]
    assert isinstance(task.model, GraphFusion)
    for name, parameter in task.model.readout.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_models_that_do_not_give_parts_are_refused() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    typed = GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1)
    for model in (typed, JointTransformer(builder.node_types, dim=DIM, depth=1)):
        message = f"objective 'cross_entropy_of_each_modality' needs parts, {type(model).__name__} gives nodes"
        with pytest.raises(ValueError, match=message):
            task_of(Classification, model, builder, CrossEntropy())
    with pytest.raises(ValueError, match="EachModality: found weight=-1, expected a finite one above 0"):
        task_of(Classification, additive(builder), builder, CrossEntropy(), weight=-1)


@pytest.mark.usefixtures("unchecked")
def test_only_objectives_of_outputs_and_targets_can_be_asked_of_each_modality() -> None:
    with pytest.raises(ValueError, match="found a EachModality, expected an objective of outputs and targets alone"):
        EachModality(EachModality(CrossEntropy()))  # type: ignore[arg-type]


def test_a_compiled_run_leaves_the_model_as_it_was() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    task = task_of(Classification, additive(builder), builder, CrossEntropy())
    before = task.model.__dict__.copy()
    with compiled(task, True):
        assert task.model.__dict__ != before
    assert task.model.__dict__ == before
