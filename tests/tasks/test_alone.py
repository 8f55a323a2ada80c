"""Training on what each modality answers alone, against loops over samples and modalities."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import Concat, GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder, MultiLabelTarget, NumberTarget, TargetEncoding
from gnnfuse.readout import AdditiveReadout
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, MultiLabel, Regression, Task
from gnnfuse.testing import example_builder, random_samples
from gnnfuse.train.lightning_task import compiled

DIM, WEIGHT = 8, 0.3
Make = Callable[[GraphFusion, GraphBuilder], Task]
KINDS: list[tuple[TargetEncoding, list[object], Make]] = [
    (
        ClassTarget(("cat", "dog")),
        ["cat", "dog"],
        lambda model, builder: Classification(
            model, builder, label_smoothing=0.1, class_weights=(0.5, 2.0), alone=WEIGHT
        ),
    ),
    (
        MultiLabelTarget(("red", "round")),
        [["red"], ["red", "round"], []],
        lambda model, builder: MultiLabel(model, builder, class_weights=(3.0, 1.0), alone=WEIGHT),
    ),
    (
        NumberTarget(2, mean=(1.0, 2.0), scale=(2.0, 3.0)),
        [(1.0, 5.0), (0.0, -1.0)],
        lambda model, builder: Regression(model, builder, alone=WEIGHT),
    ),
]


def additive(builder: GraphBuilder) -> GraphFusion:
    torch.manual_seed(0)
    readout = AdditiveReadout(DIM, builder.modalities)
    return GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1, readout=readout)


def samples(targets: list[object]) -> list[Sample]:
    drawn = random_samples(torch.Generator().manual_seed(0))
    return [Sample(one.signals, targets[place % len(targets)], one.id) for place, one in enumerate(drawn)]


@pytest.mark.parametrize(("target", "targets", "make"), KINDS)
def test_each_answer_alone_is_a_loss_of_its_own(target: TargetEncoding, targets: list[object], make: Make) -> None:
    builder = example_builder(target=target)
    task = make(additive(builder), builder)
    batch = builder(samples(targets), empty=True)
    outputs, losses, alone = task.objectives(batch)
    assert torch.equal(outputs, task(batch))
    plain = task.losses(outputs, task.target_of(batch))
    assert losses.keys() == plain.keys()
    assert all(torch.equal(losses[name], plain[name]) for name in plain)
    (name, _loss) = next(iter(plain.items()))
    assert list(alone) == [f"{name}_alone"]

    summed = torch.zeros(())
    counts = set()
    _, said, present = task.model.each(batch)
    for graph in range(len(batch)):
        one: Tensor = task.target_of(batch)[graph : graph + 1]
        for place in range(len(batch.modalities)):
            if present[graph, place]:
                summed = summed + task.losses(task.head(said[graph, place][None]), one)[name]
        counts.add(int(present[graph].sum()))
    assert counts == {0, 1, 2, 3}
    torch.testing.assert_close(alone[f"{name}_alone"], WEIGHT * summed / len(batch))


def test_nothing_is_added_without_a_weight_or_without_a_modality() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    drawn = samples(["cat", "dog"])
    assert Classification(additive(builder), builder).objectives(builder(drawn, empty=True)).alone == {}
    task = Classification(additive(builder), builder, alone=WEIGHT)
    assert task.objectives(builder([Sample({}, "cat")], empty=True)).alone == {}


def test_every_modality_of_a_sample_gets_a_gradient_of_its_own() -> None:
    """The fused answer may be right already: what a modality says alone is not."""
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    task = Classification(additive(builder), builder, alone=WEIGHT)
    alone = task.objectives(builder(samples(["cat", "dog"]), empty=True)).alone
    torch.stack(list(alone.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert isinstance(task.model, GraphFusion)
    for name, parameter in task.model.readout.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_models_that_cannot_be_asked_are_refused() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    concat = Concat(builder.node_types, dim=DIM, depth=1)
    typed = GraphFusion(builder.node_types, builder.relations, dim=DIM, depth=1)
    for model in (concat, typed):
        with pytest.raises(ValueError, match=f"found alone=0.5 for {type(model).__name__}, expected 0"):
            Classification(model, builder, alone=0.5)
        with pytest.raises(TypeError, match=f"found {type(model).__name__}, expected a model that fuses"):
            model.each(builder(samples(["cat"]), empty=True))
    with pytest.raises(ValueError, match="found alone=-1"):
        Classification(additive(builder), builder, alone=-1)


def test_a_compiled_run_compiles_it_too_and_leaves_the_model_as_it_was() -> None:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    task = Classification(additive(builder), builder, alone=WEIGHT)
    with compiled(task, True):
        assert "each" in vars(task.model)
    assert "each" not in vars(task.model)
