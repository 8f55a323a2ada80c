"""Broken tasks are caught; a task of the user's own passes."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor
from torchmetrics import MeanSquaredError, MetricCollection

from gnnfuse.fusion import Concat, FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget
from gnnfuse.sample import Sample
from gnnfuse.tasks import Prediction, Task
from gnnfuse.testing import check_task, example_builder, random_samples


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
    def predict(self, samples: Sample | Sequence[Sample], *, batch_size: int = 256) -> list[Prediction]:
        batch = self.builder([samples] if isinstance(samples, Sample) else samples)
        return self.describe(batch, self(batch))


class StaysInEvaluation(Guess):
    def predict(self, samples: Sample | Sequence[Sample], *, batch_size: int = 256) -> list[Prediction]:
        self.eval()
        return super().predict(samples, batch_size=batch_size)


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
