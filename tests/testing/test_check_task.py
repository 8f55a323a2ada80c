"""Broken tasks are caught; a task of the user's own passes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MeanSquaredError, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from gnnfuse.edges import Grid
from gnnfuse.fusion import Concat, Fused, FusionModel, GraphFusion
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget, Ragged, TargetEncoding
from gnnfuse.nodes import ImagePatches
from gnnfuse.readout import MeanReadout
from gnnfuse.sample import Sample
from gnnfuse.tasks import CrossEntropy, Objective, Prediction, SquaredError, Task
from gnnfuse.testing import check_task, example_builder, example_signals, random_samples


class Guess(Task):
    """A correct task, which the others break in one place."""

    monitor = "error"

    def __init__(self, model: FusionModel, builder: GraphBuilder) -> None:
        head = nn.Sequential(nn.Dropout(0.5), nn.Linear(model.dim, 1))
        super().__init__(model, builder, head=head, objectives=[self.error()], judge=SquaredError())

    def error(self) -> Objective:
        return SquaredError()

    def metrics(self) -> MetricCollection:
        return MetricCollection({"error": MeanSquaredError()})

    def describe(self, batch: GraphBatch, outputs: Tensor) -> list[Prediction]:
        return [Prediction(name, row[0], {}) for name, row in zip(batch.ids, outputs.tolist(), strict=True)]


class OnePerSample(SquaredError):  # noqa: N818  # it is no exception
    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return (outputs - target).square()


class LosesPerSample(Guess):
    def error(self) -> Objective:
        return OnePerSample()


class JudgesPerSample(Guess):
    def __init__(self, model: FusionModel, builder: GraphBuilder) -> None:
        super().__init__(model, builder)
        self.judge = OnePerSample()


class MonitorsNothing(Guess):
    monitor = "accuracy"


class PredictsInTraining(Guess):
    @torch.no_grad()
    def predict(
        self, samples: Sample | Iterable[Sample], *, batch_size: int = 256, empty: bool = False
    ) -> list[Prediction]:
        batch = self.builder(samples, empty=empty)
        return self.describe(batch, self(batch))


class StaysInEvaluation(Guess):
    def predict(
        self, samples: Sample | Iterable[Sample], *, batch_size: int = 256, empty: bool = False
    ) -> list[Prediction]:
        self.eval()
        return super().predict(samples, batch_size=batch_size, empty=empty)


class ForgetsTheHead(Guess):
    def forward(self, batch: GraphBatch) -> Tensor:
        fused: Tensor = self.model(batch)[:, :1]
        return fused


BROKEN = {
    JudgesPerSample: "judge squared_error has shape .* expected a scalar",
    LosesPerSample: r"objective 'squared_error': found a tensor \[\d+, 1\], expected a tensor of one number",
    MonitorsNothing: "monitors 'accuracy', but its metrics are error",
    PredictsInTraining: "changed torch's random state",
    StaysInEvaluation: "leaves the task in evaluation mode",
    ForgetsTheHead: "parameter head.1.weight gets no gradient",
}


def check(task: type[Guess]) -> None:
    samples = random_samples(torch.Generator().manual_seed(0), target=lambda generator: 2.0)
    builder = example_builder(target=NumberTarget())
    with torch.random.fork_rng(devices=[]):
        check_task(lambda b: task(Concat(b.node_types, dim=8, depth=1), b), builder, samples, classes=[task])


@pytest.mark.usefixtures("unchecked")  # which would refuse some of them first
@pytest.mark.parametrize("task", BROKEN, ids=lambda task: task.__name__)
def test_a_broken_task_is_caught(task: type[Guess]) -> None:
    with pytest.raises((AssertionError, ValueError), match=BROKEN[task]):
        check(task)


def test_the_correct_task_passes() -> None:
    check(Guess)


@dataclass(frozen=True)
class PatchTarget(TargetEncoding):
    """A class for each of up to 16 patches."""

    def encode(self, sample: Sample) -> Tensor:
        return torch.tensor(sample.target)


class OfPatches(CrossEntropy):
    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return super().loss(outputs.flatten(0, 1), target.flatten())


class PatchLabels(Task):
    """Classes of nodes rather than of graphs: its metrics take other shapes than its outputs have."""

    monitor = "accuracy"

    def __init__(self, model: GraphFusion, builder: GraphBuilder) -> None:
        head = nn.Linear(model.dim, 2)
        super().__init__(model, builder, head=head, objectives=[OfPatches()], judge=OfPatches())

    def outputs_of(self, fused: Fused, batch: GraphBatch) -> Tensor:
        assert fused.nodes is not None
        scores = self.head(fused.nodes[batch.slices["image"]])
        layout = batch.layout["image"]
        padded: Tensor = scores.new_zeros(len(batch), 16, 2).index_put((layout.graph_id, layout.index), scores)
        return padded

    def metrics(self) -> MetricCollection:
        return MetricCollection({"accuracy": MulticlassAccuracy(2)})

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        assert isinstance(target, Tensor)
        return outputs.flatten(0, 1), target.flatten()

    def describe(self, batch: GraphBatch, outputs: Tensor) -> list[Prediction]:
        labels = outputs.argmax(dim=2).tolist()
        return [Prediction(name, tuple(row), {}) for name, row in zip(batch.ids, labels, strict=True)]


def test_a_task_with_measures_of_its_own_passes_on_samples_without_ids() -> None:
    def make(builder: GraphBuilder) -> PatchLabels:
        options: dict[str, Any] = {"dim": 8, "depth": 2, "readout": MeanReadout()}
        return PatchLabels(GraphFusion(builder.node_types, builder.relations, **options), builder)

    builder = GraphBuilder([ImagePatches(patch=4, channels=1)], [Grid()], target=PatchTarget())
    signals = {"image": example_signals()["image"]}
    drawn = random_samples(torch.Generator().manual_seed(0), signals, target=lambda _: [0, 1] * 8)
    samples = [replace(sample, id=None) for sample in drawn]
    check_task(make, builder, samples, classes=[PatchLabels, PatchTarget])


class AsksForAVector(Concat):
    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        fused = super().fuse(states, batch)
        return fused._replace(losses={"spread": fused.vector[:, 0]})


@pytest.mark.usefixtures("unchecked")
def test_what_the_model_asks_for_is_checked() -> None:
    samples = random_samples(torch.Generator().manual_seed(0), target=lambda generator: 2.0)
    builder = example_builder(target=NumberTarget())
    with pytest.raises(
        ValueError, match=r"loss 'spread' of the model: found a tensor \[\d+\], expected a tensor of one"
    ):
        check_task(lambda b: Guess(AsksForAVector(b.node_types, dim=8, depth=1), b), builder, samples)
