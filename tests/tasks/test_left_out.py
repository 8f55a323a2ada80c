"""Views of a batch: drawn by sample, embedded by the model, part of the loss."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification, CrossEntropy
from gnnfuse.tasks.objectives import LeftOut
from gnnfuse.testing import example_builder, random_samples

NAME = "cross_entropy_with_signals_left_out_at_0.5"


class Watched(LeftOut):
    """Keeps the views that it makes."""

    def view(self, batch: GraphBatch, builder: GraphBuilder, generators: Sequence[torch.Generator]) -> GraphBatch:
        self.seen = super().view(batch, builder, generators)
        return self.seen


def samples() -> list[Sample]:
    drawn = random_samples(torch.Generator().manual_seed(0))
    return [Sample(one.signals, ("cat", "dog")[place % 2], f"sample {place}") for place, one in enumerate(drawn)]


def task() -> tuple[Classification, Watched]:
    builder = example_builder(target=ClassTarget(("cat", "dog")))
    torch.manual_seed(0)
    objective = Watched(CrossEntropy(), probability=0.5, weight=0.3)
    model = GraphFusion.of(builder, dim=8, depth=1)
    return Classification(model, builder, objectives=[CrossEntropy(), objective]), objective


def rest_of(sample: Sample, view: GraphBatch, place: int) -> Sample:
    kept = [name for name, here in zip(view.modalities, view.present[place].tolist(), strict=True) if here]
    return Sample({name: sample.signals[name] for name in kept}, sample.target, sample.id)


def test_the_loss_is_that_of_the_samples_without_what_was_left_out() -> None:
    made, objective = task()
    whole = samples()
    step = made.step(made.builder(whole, empty=True), draw=(1, 2))
    fewer = [rest_of(sample, objective.seen, place) for place, sample in enumerate(whole)]
    assert sum(len(sample.signals) for sample in fewer) < sum(len(sample.signals) for sample in whole)
    for before, after in zip(whole, fewer, strict=True):
        assert bool(after.signals) == bool(before.signals)  # one always stays
    batch = made.builder(fewer, empty=True)
    assert batch == objective.seen
    target = made.target_of(batch)
    assert isinstance(target, Tensor)
    expected = 0.3 * CrossEntropy().loss(made(batch), target)
    torch.testing.assert_close(made.losses(step)[NAME], expected)
    assert torch.equal(step.outputs, made(made.builder(whole, empty=True)))


def test_what_is_left_out_depends_on_seed_epoch_and_sample_alone() -> None:
    made, objective = task()

    def left(some: list[Sample], draw: tuple[int, int]) -> dict[str, list[bool]]:
        made.step(made.builder(some, empty=True), draw=draw)
        return dict(zip(objective.seen.ids, objective.seen.present.tolist(), strict=True))

    whole = left(samples(), (0, 0))
    assert left(samples()[::-1], (0, 0)) == whole
    assert left(samples()[2:5], (0, 0)) == {name: whole[name] for name in ("sample 2", "sample 3", "sample 4")}
    assert left(samples(), (0, 1)) != whole
    assert left(samples(), (1, 0)) != whole


def test_parts_of_a_step_add_up() -> None:
    made, _ = task()

    def loss(some: list[Sample]) -> Tensor:
        return made.losses(made.step(made.builder(some, empty=True), draw=(3, 4)))[NAME]

    every = samples()
    expected = (2 * loss(every[:2]) + (len(every) - 2) * loss(every[2:])) / len(every)
    torch.testing.assert_close(loss(every), expected)


def test_without_a_draw_there_are_no_views() -> None:
    made, _ = task()
    assert made.step(made.builder(samples(), empty=True), draw=None).views == {}


@pytest.mark.usefixtures("unchecked")
def test_only_objectives_of_outputs_and_targets_take_a_second_look() -> None:
    with pytest.raises(ValueError, match="LeftOut: found a LeftOut, expected an objective of outputs and targets"):
        LeftOut(LeftOut(CrossEntropy()))  # type: ignore[arg-type]


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, float("nan"), float("inf")])
def test_a_probability_that_leaves_all_or_nothing_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match=f"LeftOut: found probability={probability}, expected one above 0 and below 1"):
        LeftOut(CrossEntropy(), probability=probability)
