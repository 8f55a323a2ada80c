"""What a task is: a fusion model, a head and objectives; it gives losses, predictions and metrics."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.graph.graph_builder import listed_samples
from gnnfuse.sample import Sample
from gnnfuse.saveable import Saveable

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


@dataclass(frozen=True)
class Prediction:
    """What a task says of one sample.

    Args:
        id: the sample's id, or its place where it has none.
        label: the class name, the tuple of class names, or the number(s).
        scores: probability of each class; empty for numbers. Where classes are weighted, the label need not be the most
            probable class (`Classification`, `MultiLabel`).
    """

    id: str
    label: object
    scores: Mapping[str, float]


class Objectives(NamedTuple):
    """What a training step needs of a batch.

    Args:
        outputs: `[graphs, ...]`, the head's.
        losses: of the outputs, by name.
        alone: of what each modality answers alone, by name, weighted; none where a task does not train them.
    """

    outputs: Tensor
    losses: Mapping[str, Tensor]
    alone: Mapping[str, Tensor]


class Task(nn.Module, Saveable, ABC):
    """A fusion model with a head, trained for one purpose.

    Args:
        model: fuses each graph into one vector.
        builder: makes samples into batches; its target encoding says what the head predicts.
        outputs: how many numbers the head gives.
        dropout: of the fused vector before the head.
        alone: weight of the losses of what each modality answers alone, which training minimises too; needs a model
            that can be asked (`FusionModel.each`). Without them the easiest modality keeps the others from learning
            (Wang et al., "What Makes Training Multi-modal Classification Networks Hard?", 2020).

    Raises:
        ValueError: a negative weight, or one for a model that cannot be asked; a model that was made for another
            builder (`FusionModel.check_fits`).

    Attributes:
        monitor: name of the metric that early stopping and model selection watch.
        higher_is_better: whether a larger value of it is better.
    """

    monitor: str
    higher_is_better: bool = True

    def __init__(
        self, model: FusionModel, builder: GraphBuilder, *, outputs: int, dropout: float, alone: float = 0.0
    ) -> None:
        super().__init__()
        if alone < 0 or (alone and not model.has_each):
            raise ValueError(
                f"found alone={alone} for {type(model).__name__}, expected 0, or more for a model that tells what each "
                "modality says, such as GraphFusion with readout=AdditiveReadout(...)"
            )
        model.check_fits(builder)
        self.model = model
        self.builder = builder if model.sees_edges else builder.without_edges()
        self.dropout = dropout
        self.alone = alone
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(model.dim, outputs))

    def forward(self, batch: GraphBatch) -> Float[Tensor, "graphs ..."]:
        """A batch in, the head's raw outputs out."""
        outputs: Tensor = self.head(self.model(batch))
        return outputs

    def objectives(self, batch: GraphBatch) -> Objectives:
        """The outputs of a batch and what training minimises the sum of.

        Raises:
            ValueError: the batch has no targets.
        """
        target = self.target_of(batch)
        if not self.alone:
            outputs = self(batch)
            return Objectives(outputs, self.losses(outputs, target), {})
        fused, alone, present = self.model.each(batch)
        outputs = self.head(fused)
        losses = self.losses(outputs, target)
        graph = present.nonzero()[:, 0]
        if not len(graph):
            return Objectives(outputs, losses, {})
        weight = self.alone * len(graph) / len(present)  # the mean over answers becomes the sum over a graph's answers
        found = self.losses(self.head(alone[present]), target[graph])
        return Objectives(outputs, losses, {f"{name}_alone": value * weight for name, value in found.items()})

    def plain_losses(self, outputs: Float[Tensor, "graphs ..."], target: Tensor) -> Mapping[str, Tensor]:
        """What is logged and compared between epochs: `losses` without what only training is to see.

        Smoothed labels and weights of classes change what is learned; of two epochs they may call the surer one, right
        as it is, the worse. The same as `losses` by default.
        """
        return self.losses(outputs, target)

    @abstractmethod
    def losses(self, outputs: Float[Tensor, "graphs ..."], target: Tensor) -> Mapping[str, Tensor]:
        """Scalar losses by name, each a mean over the samples; training minimises their sum.

        Where devices or accumulated parts share a step, each part's loss counts by its number of samples.
        """

    @abstractmethod
    def metrics(self) -> "MetricCollection":
        """New metrics; each is updated with `measured(outputs, target)`."""

    def measured(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and encoded targets as the metrics take them; unchanged by default."""
        return outputs, target

    @abstractmethod
    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs ..."]) -> list[Prediction]:
        """The outputs in words, one prediction per graph."""

    def target_of(self, batch: GraphBatch) -> Tensor:
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
