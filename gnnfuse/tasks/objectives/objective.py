"""The objective interface, and the training step that an objective evaluates."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, GraphBuilder, Ragged
from gnnfuse.readout.fused import Fused
from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.class_weights import checked_weights

PER_SAMPLE = frozenset({"class", "labels", "numbers"})


class Step(NamedTuple):
    """One batch on its way through a task, with the results so far.

    Args:
        batch: the batch.
        fused: the model's result.
        outputs: `[graphs, ...]`, of the head.
        target: `[graphs, ...]`, encoded, or `Ragged`.
        head: the task's head, for objectives that apply it to other vectors.
        views: name of an objective -> the model's result for its view of the batch (`Objective.view`).
    """

    batch: GraphBatch
    fused: Fused
    outputs: Tensor
    target: Tensor | Ragged
    head: nn.Module
    views: Mapping[str, Fused] = MappingProxyType({})


def target_per_sample(step: Step) -> Tensor:
    """The step's target, which has one row per sample.

    Raises:
        ValueError: samples have several rows each.
    """
    if not isinstance(step.target, Tensor):
        raise ValueError("found a target of several rows per sample, expected one row for each")
    return step.target


class Objective(nn.Module, ABC):
    """One term of the sum that training minimises: `weight` times the result of `forward`.

    A constructor calls `super().__init__(weight)` and stores each argument under the argument's own name, so that a
    task can be saved.

    Args:
        weight: factor on the value; above 0.

    Raises:
        ValueError: a weight that is not above 0 and finite.

    Attributes:
        name: name of the value in logs and messages.
        needs: the model outputs it requires, of "parts" and "nodes" (`FusionModel.gives`).
        reads: the kinds of target that it can be computed from (`TargetEncoding.kind`); None for any.
        outputs: required number of head outputs per sample; None for any number.
    """

    name: str
    needs: frozenset[str] = frozenset()
    reads: frozenset[str] | None = None
    outputs: int | None = None

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        check_number(type(self).__name__, "weight", weight, "a finite one above 0", above=0)
        self.weight = weight

    def view(
        self, batch: GraphBatch, builder: GraphBuilder, generators: Sequence[torch.Generator]
    ) -> GraphBatch | None:
        """The objective's view of the batch, such as one with signals left out; the model embeds it as well.

        Args:
            batch: the batch.
            builder: of the task.
            generators: one per sample, which depends on the run's seed, the epoch and the sample's id alone.

        Returns:
            The view, whose embedding `forward` finds in `step.views[self.name]`; None, the default, for no view.
        """
        return None

    @abstractmethod
    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The value, without the weight."""


class TargetObjective(Objective):
    """An objective on the head's outputs and the encoded targets alone: a mean over samples."""

    reads = PER_SAMPLE

    @abstractmethod
    def loss(self, outputs: Float[Tensor, "samples ..."], target: Shaped[Tensor, "samples ..."]) -> Float[Tensor, ""]:
        """The mean over the samples, without the weight."""

    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The loss of the step's outputs."""
        return self.loss(step.outputs, target_per_sample(step))

    def probabilities(self, outputs: Float[Tensor, "samples ..."]) -> Float[Tensor, "samples ..."] | None:
        """The probabilities that outputs represent after training with this loss; None if unknown."""
        return None


class ClassWeighted(TargetObjective):
    """A loss over classes or labels with a factor for each.

    Args:
        class_weights: the factors, in the order of the classes; None for 1.
        weight: as for every `Objective`.

    Raises:
        ValueError: a weight that is not above 0.

    Attributes:
        class_weight: `[classes]`, the factors on the device of the task; None for 1.
    """

    class_weight: Tensor | None

    def __init__(self, class_weights: Sequence[float] | None, weight: float) -> None:
        super().__init__(weight)
        self.class_weights = None if class_weights is None else checked_weights(class_weights)
        self.outputs = None if self.class_weights is None else len(self.class_weights)
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, dtype=torch.float32)
        self.register_buffer("class_weight", weights, persistent=False)


class BatchObjective(Objective):
    """An objective over the whole batch, such as a contrastive loss: its value is not a mean over samples.

    Training evaluates it once per step, on the vectors of all parts of the step (`FitConfig.accumulate`) and of all
    processes, so that the gradient does not depend on how a step is divided. The parts of a step are then kept until
    its end: accumulation saves no memory. Nodes and views are not gathered: a task refuses objectives over the batch
    that need nodes or have a `view`.
    """

    reads = PER_SAMPLE

    @abstractmethod
    def loss(self, fused: Fused, target: Shaped[Tensor, "graphs ..."]) -> Float[Tensor, ""]:
        """The value for a whole batch, without the weight; `fused` has the vectors, `parts` and `present`."""

    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The value of one batch."""
        return self.loss(step.fused, target_per_sample(step))
