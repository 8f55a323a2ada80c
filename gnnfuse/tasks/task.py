"""The task interface: a fusion model, a head and objectives, which give losses, metrics and predictions."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, cast
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
from gnnfuse.tasks.objectives import BatchObjective, Objective, Step, TargetObjective
from gnnfuse.tasks.objectives.check_objectives import check_fit, check_objectives

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


@dataclass(frozen=True)
class Prediction:
    """A task's prediction for one sample.

    Args:
        id: the sample's id, or its position if it has none.
        label: the predicted class name, tuple of class names, number(s), or the task's own kind of value.
        scores: probability of each class; empty if there are none. With class weights, the label need not be the most
            probable class (`Classification`, `MultiLabel`).
        interval: lower and upper end around a number, or such a pair for each of several; None if the task has no
            `Intervals`.
        label_set: the classes of which one is true, or all that are, with the probability of the task's `LabelSets`;
            None without them.
    """

    id: str
    label: object
    scores: Mapping[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | tuple[tuple[float, float], ...] | None = None
    label_set: tuple[str, ...] | None = None


class Task(nn.Module, Saveable, ABC):
    """A fusion model with a head and objectives, trained for one purpose.

    Args:
        model: fuses each graph into one vector.
        builder: turns samples into batches; its target encoding defines what the head predicts.
        head: turns fused vectors into outputs.
        outputs: numbers per row of the outputs, compared with `Objective.outputs`; None skips this check.
        objectives: training minimises the sum of weight times value.
        judge: the objective that is logged, in training and validation alike, and compared between epochs. Objectives
            with smoothed labels or class weights change what is learned, and may rank a confident, correct epoch below
            another.

    Raises:
        ValueError: no objectives, anything else among them, two of one name, or one that needs a missing model output,
            another kind of target or another number of outputs; no `monitor`; a model that was made for another builder
            (`FusionModel.check_fits`).

    Attributes:
        monitor: name of the metric for early stopping and model selection.
        higher_is_better: whether a larger value of it is better.
        of: the node type with one row of outputs per node; None if outputs have one row per graph.
        gives_probabilities: whether `blendable` gives probabilities, rather than numbers.
        num_outputs: numbers per row of the outputs; None if it was not given.
        sample_metric: name of the mean of `score` over samples: "accuracy".
        nan_means: what samples lack if the monitored metric is NaN; training then refuses the validation samples. None
            if models cause NaN as well.
    """

    monitor: str
    higher_is_better: bool = True
    sample_metric: str = "accuracy"
    nan_means: str | None = None
    of: str | None = None
    gives_probabilities: ClassVar[bool] = False
    objectives: Sequence[Objective]

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        head: nn.Module,
        outputs: int | None = None,
        objectives: Sequence[Objective],
        judge: Objective,
    ) -> None:
        super().__init__()
        owner = type(self).__name__
        if not isinstance(head, nn.Module):
            raise ValueError(f"{owner}: found {head!r} as head, expected a torch module")
        model.check_fits(builder)
        check_objectives(owner, objectives, model, builder.target, outputs)
        check_fit(f"{owner}, judge", judge, model, builder.target, outputs)
        monitor = getattr(self, "monitor", None)
        if not isinstance(monitor, str):
            raise ValueError(f"{owner}: found monitor={monitor!r}, expected the name of one of its metrics")
        self.model = model
        self.builder = builder if model.sees_edges else builder.without_edges()
        self.head = head
        self.num_outputs = outputs
        self.objectives = cast(Any, nn.ModuleList(objectives))
        self.judge = judge

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs ..."]:
        """A batch in, the head's raw outputs out."""
        return self.outputs_of(self.model.embed(batch), batch)

    def outputs_of(self, fused: Fused, batch: GraphBatch) -> Float[Tensor, "graphs ..."]:
        """The head's outputs for the model's result; by default for the fused vectors."""
        outputs: Tensor = self.head(fused.vector)
        return outputs

    def step(self, batch: GraphBatch, *, draw: tuple[int, int] | None = (0, 0)) -> Step:
        """The input of objectives and metrics for a batch.

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
                found: object = objective.view(
                    batch, self.builder, [torch.Generator().manual_seed(seed) for seed in seeds]
                )
                if not isinstance(found, GraphBatch | None):
                    kind = type(found).__name__
                    raise ValueError(
                        f"objective {objective.name!r}: found a view of type {kind}, expected a GraphBatch"
                    )
                if found is not None:
                    views[objective.name] = self.model.embed(found)
        return views

    def losses(self, step: Step, *, whole: bool = True) -> Mapping[str, Float[Tensor, ""]]:
        """The terms whose sum training minimises, by name: each objective times its weight, and the model's own losses.

        Args:
            step: of one batch.
            whole: include objectives over a whole batch, as when the step is not one of several parts.

        Raises:
            ValueError: the model names a loss as an objective is named.
        """
        asked = [objective for objective in self.objectives if whole or not isinstance(objective, BatchObjective)]
        if twice := [objective.name for objective in self.objectives if objective.name in step.fused.losses]:
            raise ValueError(
                f"{type(self.model).__name__} gives a loss named {twice[0]!r}, expected another name than that of an "
                "objective"
            )
        own = {name: _scalar(f"loss {name!r} of the model", value) for name, value in step.fused.losses.items()}
        return {
            objective.name: _scalar(f"objective {objective.name!r}", objective(step)) * objective.weight
            for objective in asked
        } | own

    @abstractmethod
    def metrics(self) -> "MetricCollection":
        """New metrics; each is updated with `measured(outputs, target)`."""

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        """Outputs and encoded targets as input of the metrics; unchanged by default.

        Raises:
            ValueError: samples have several rows each; a task for such targets overrides this.
        """
        if not isinstance(target, Tensor):
            kind = type(self).__name__
            raise ValueError(
                f"{kind}: found a target of several rows per sample, expected {kind}.measured to handle them"
            )
        return outputs, target

    @abstractmethod
    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs ..."]) -> list[Prediction]:
        """The outputs as predictions, one per graph."""

    @property
    def device(self) -> torch.device:
        """Where its first parameter is; without parameters, its first buffer; without either, the CPU."""
        return next((each.device for each in chain(self.parameters(), self.buffers())), torch.device("cpu"))

    def blendable(self, outputs: Float[Tensor, "graphs ..."]) -> Float[Tensor, "graphs ..."]:
        """The outputs as quantities whose mean over several models is an answer again: probabilities, or numbers."""
        return outputs

    def unblended(self, mean: Float[Tensor, "graphs ..."]) -> Float[Tensor, "graphs ..."]:
        """The inverse of `blendable`: outputs that stand for such a mean."""
        return mean

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """The quality of the prediction for one sample with a target, for reports by groups of samples.

        By default 1 if the label equals the target by class names, else 0.
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
        """Predictions for one or several samples, whatever modalities each has.

        Targets are ignored. The task is in evaluation mode during the call.

        Args:
            samples: the samples to predict for.
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
        device = self.device
        modes = [(module, module.training) for module in self.modules()]  # frozen modules keep their own mode
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


def _scalar(named: str, value: object) -> Tensor:
    """The value of an objective, if it is a tensor of no axis."""
    if not isinstance(value, Tensor) or value.ndim:
        found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ValueError(f"{named}: found {found}, expected a tensor of one number, without an axis")
    return value


def probabilities_of(objectives: Iterable[Objective], outputs: Tensor) -> Tensor | None:
    """The probabilities that outputs represent, from the first objective that defines them; None if none does."""
    known = (each.probabilities(outputs) for each in objectives if isinstance(each, TargetObjective))
    return next((found for found in known if found is not None), None)
