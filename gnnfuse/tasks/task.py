"""What a task is: a fusion model, a head and objectives; it gives losses, metrics and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, Ragged
from gnnfuse.graph.check_samples import listed_samples
from gnnfuse.graph.signal_dropout import seed_of
from gnnfuse.readout.fused import Fused
from gnnfuse.sample import Sample
from gnnfuse.saveable import Saveable
from gnnfuse.tasks.objectives import Objective, Step, TargetObjective

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


@dataclass(frozen=True)
class Prediction:
    """What a task says of one sample.

    Args:
        id: the sample's id, or its place where it has none.
        label: what is predicted: the class name, the tuple of class names, the number(s), or whatever the task gives.
        scores: probability of each class; empty where there is none. Where classes are weighted, the label need not be
            the most probable class (`Classification`, `MultiLabel`).
    """

    id: str
    label: object
    scores: Mapping[str, float] = field(default_factory=dict)


class Task(nn.Module, Saveable, ABC):
    """A fusion model with a head and objectives, trained for one purpose.

    Args:
        model: fuses each graph into one vector.
        builder: makes samples into batches; its target encoding says what the head predicts.
        head: makes outputs of fused vectors.
        objectives: training minimises the sum of weight times value.
        judge: the objective that is logged, for training and validation alike, and compared between epochs: smoothed
            labels and weights of classes change what is learned, and of two epochs they may call the surer one, right
            as it is, the worse.

    Raises:
        ValueError: no objectives, two of one name, one that needs what the model does not give or another number of
            outputs; a model that was made for another builder (`FusionModel.check_fits`).

    Attributes:
        monitor: name of the metric that early stopping and model selection watch.
        higher_is_better: whether a larger value of it is better.
        of: the node type of whose nodes the outputs have a row each; None where they have one per graph.
        sample_metric: what the mean of `score` over samples is called: "accuracy".
    """

    monitor: str
    higher_is_better: bool = True
    sample_metric: str = "accuracy"
    of: str | None = None
    objectives: Sequence[Objective]

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        head: nn.Module,
        objectives: Sequence[Objective],
        judge: Objective,
    ) -> None:
        super().__init__()
        model.check_fits(builder)
        _check_objectives(objectives, model)
        self.model = model
        self.builder = builder if model.sees_edges else builder.without_edges()
        self.head = head
        self.objectives = cast(Any, nn.ModuleList(objectives))
        self.judge = judge

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs ..."]:
        """A batch in, the head's raw outputs out."""
        return self.outputs_of(self.model.embed(batch), batch)

    def outputs_of(self, fused: Fused, batch: GraphBatch) -> Float[Tensor, "graphs ..."]:
        """What the head makes of what the model gives; of the fused vectors by default."""
        outputs: Tensor = self.head(fused.vector)
        return outputs

    def step(self, batch: GraphBatch, *, draw: tuple[int, int] | None = (0, 0)) -> Step:
        """What objectives and metrics see of a batch.

        Args:
            batch: with targets.
            draw: seed and epoch, by which objectives draw their views of the batch; None makes no views.

        Raises:
            ValueError: the batch has no targets.
        """
        target = self.target_of(batch)
        fused = self.model.embed(batch)
        views = {} if draw is None else self._views(batch, draw)
        return Step(batch, fused, self.outputs_of(fused, batch), target, self.head, views)

    def _views(self, batch: GraphBatch, draw: tuple[int, int]) -> dict[str, Fused]:
        views = {}
        for place, objective in enumerate(self.objectives):
            if type(objective).view is not Objective.view:
                seeds = (seed_of(*draw, place, crc32(name.encode("utf-8", "replace"))) for name in batch.ids)
                found = objective.view(batch, self.builder, [torch.Generator().manual_seed(seed) for seed in seeds])
                if found is not None:
                    views[objective.name] = self.model.embed(found)
        return views

    def losses(self, step: Step, *, whole: bool = True) -> Mapping[str, Float[Tensor, ""]]:
        """What training minimises the sum of: each objective times its weight, and the model's own losses, by name.

        Args:
            step: of one batch.
            whole: with the objectives over a whole batch, as where the step is not one of several parts.
        """
        asked = [objective for objective in self.objectives if whole or objective.over == "samples"]
        return {objective.name: objective(step) * objective.weight for objective in asked} | dict(step.fused.losses)

    @abstractmethod
    def metrics(self) -> "MetricCollection":
        """New metrics; each is updated with `measured(outputs, target)`."""

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        """Outputs and encoded targets as the metrics take them; unchanged by default."""
        assert isinstance(target, Tensor)
        return outputs, target

    @abstractmethod
    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs ..."]) -> list[Prediction]:
        """The outputs in words, one prediction per graph."""

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """How good the prediction for one sample with a target is, for reports by groups of samples.

        By default 1 where the label is the target, by the names of its classes, and 0 elsewhere.
        """
        encoding = self.builder.target
        return float(prediction.label == (sample.target if encoding is None else encoding.named(sample)))

    def target_of(self, batch: GraphBatch) -> Tensor | Ragged:
        """The batch's encoded targets.

        Raises:
            ValueError: the batch has none.
        """
        if batch.target is None:
            raise ValueError(f"sample {batch.ids[0]!r}: found no target, expected one (does the builder encode them?)")
        return batch.target

    @torch.no_grad()
    def predict(
        self, samples: Sample | Iterable[Sample], *, batch_size: int = 256, empty: bool = False
    ) -> list[Prediction]:
        """Predictions for one sample or several, whatever modalities each has.

        Targets are not needed and not looked at. The task is in evaluation mode during the call.

        Args:
            samples: what to predict for.
            batch_size: samples per batch.
            empty: allow samples without any signal that the model reads; the prediction is then a prior.

        Raises:
            SignalError: a signal cannot be read.
            ValueError: no samples, or something else among them; a sample with an unknown signal (misspelt; see
                `GraphBuilder(extra=)`), or with none that the model reads.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, found {batch_size}")
        listed = listed_samples(samples)
        if not listed:
            raise ValueError("found no samples, expected at least one")
        device = next(self.parameters()).device
        modes = [(module, module.training) for module in self.modules()]  # frozen parts have a mode of their own
        self.eval()
        try:
            predictions = []
            unlabelled = [
                Sample(sample.signals, None, str(place) if sample.id is None else sample.id)
                for place, sample in enumerate(listed)
            ]
            for start in range(0, len(listed), batch_size):
                some = unlabelled[start : start + batch_size]
                self.builder.check_signals(some, () if empty else self.model.node_types)
                batch = self.builder(some, empty=True).to(device)
                predictions += self.describe(batch, self(batch))
        finally:
            for module, mode in modes:
                module.training = mode
        return predictions


def linear_head(dim: int, outputs: int, dropout: float) -> nn.Sequential:
    """Dropout of the fused vector, then a linear map."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, outputs))


def _check_objectives(objectives: Sequence[Objective], model: FusionModel) -> None:
    names = [objective.name for objective in objectives]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"found the objectives {', '.join(names) or 'none'}, expected one or more of different names")
    for objective in objectives:
        if lacking := sorted(objective.needs - model.gives):
            gives = ", ".join(sorted(model.gives)) or "nothing but vectors"
            raise ValueError(
                f"objective {objective.name!r} needs {', '.join(lacking)}, {type(model).__name__} gives {gives}"
            )


def check_outputs(objectives: Iterable[Objective], outputs: int) -> None:
    """Refuse objectives that are made for another number of outputs, such as weights of other classes.

    Raises:
        ValueError: names the objective, and both numbers.
    """
    for objective in objectives:
        if objective.outputs not in (None, outputs):
            raise ValueError(f"objective {objective.name!r} is made for {objective.outputs} outputs, found {outputs}")


def probabilities_of(objectives: Iterable[Objective], outputs: Tensor) -> Tensor | None:
    """The probabilities that outputs stand for, by the first objective that knows; None where none does."""
    known = (each.probabilities(outputs) for each in objectives if isinstance(each, TargetObjective))
    return next((found for found in known if found is not None), None)
