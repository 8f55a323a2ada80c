"""Broken tasks are caught; a task of the user's own passes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanSquaredError, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from gnnfuse.edges import Grid
from gnnfuse.fusion import Concat, FusionModel, GraphFusion
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget, TargetEncoding
from gnnfuse.nodes import ImagePatches
from gnnfuse.readout import MeanReadout
from gnnfuse.sample import Sample
from gnnfuse.tasks import Prediction, Task
from gnnfuse.tasks.task import Objectives
from gnnfuse.testing import check_task, example_builder, example_signals, random_samples


class Guess(Task):
    """A correct task, which the others break in one place."""

    monitor = "error"

    def __init__(self, model: FusionModel, builder: GraphBuilder) -> None:
        super().__init__(model, builder, outputs=1, dropout=0.5)

    def losses(self, outputs: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        return {"error": (outputs - target).square().mean()}

    def metrics(self) -> MetricCollection:
        return MetricCollection({"error": MeanSquaredError()})

    def describe(self, batch: GraphBatch, outputs: Tensor) -> list[Prediction]:
        return [Prediction(name, row[0], {}) for name, row in zip(batch.ids, outputs.tolist(), strict=True)]


class LosesPerSample(Guess):
    def losses(self, outputs: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        return {"error": (outputs - target).square()}


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
    LosesPerSample: "loss error has shape .* expected a scalar",
    MonitorsNothing: "monitors 'accuracy', its metrics are error",
    PredictsInTraining: "changed torch's random state",
    StaysInEvaluation: "leaves the task in evaluation mode",
    ForgetsTheHead: "parameter head.1.weight gets no gradient",
}


def check(task: type[Guess]) -> None:
    samples = random_samples(torch.Generator().manual_seed(0), target=lambda generator: 2.0)
    builder = example_builder(target=NumberTarget())
    with torch.random.fork_rng(devices=[]):
        check_task(lambda b: task(Concat(b.node_types, dim=8, depth=1), b), builder, samples, classes=[task])


@pytest.mark.parametrize("task", BROKEN, ids=lambda task: task.__name__)
def test_a_broken_task_is_caught(task: type[Guess]) -> None:
    with pytest.raises(AssertionError, match=BROKEN[task]):
        check(task)


def test_the_correct_task_passes() -> None:
    check(Guess)


@dataclass(frozen=True)
class PatchTarget(TargetEncoding):
    """A class for each of up to 16 patches."""

    def encode(self, sample: Sample) -> Tensor:
        return torch.tensor(sample.target)


class PatchLabels(Task):
    """Classes of nodes rather than of graphs: its metrics take other shapes than its outputs have."""

    monitor = "accuracy"

    def __init__(self, model: GraphFusion, builder: GraphBuilder) -> None:
        super().__init__(model, builder, outputs=2, dropout=0.0)

    def forward(self, batch: GraphBatch) -> Tensor:
        assert isinstance(self.model, GraphFusion)
        scores = self.head(self.model.node_states(batch)[batch.slices["image"]])
        layout = batch.layout["image"]
        padded: Tensor = scores.new_zeros(len(batch), 16, 2).index_put((layout.graph_id, layout.index), scores)
        return padded

    def losses(self, outputs: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        return {"cross_entropy": F.cross_entropy(*self.measured(outputs, target))}

    def metrics(self) -> MetricCollection:
        return MetricCollection({"accuracy": MulticlassAccuracy(2)})

    def measured(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
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


class LosesItselfAlone(Guess):
    def objectives(self, batch: GraphBatch) -> Objectives:
        outputs, losses, _ = super().objectives(batch)
        return Objectives(outputs, losses, {"alone": outputs[:, 0]})


def test_what_training_minimises_is_checked() -> None:
    with pytest.raises(AssertionError, match=r"loss alone has shape .* expected a scalar"):
        check(LosesItselfAlone)
