"""The loss of predictions from some of a sample's signals."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.graph.signal_dropout import drawn_of_batch
from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.objectives.check_objectives import check_inner
from gnnfuse.tasks.objectives.objective import Objective, Step, TargetObjective, target_per_sample


class LeftOut(Objective):
    """The loss of predictions with some of each sample's signals left out at random.

    In a view of every batch, each signal is left out with a given probability, though one of a sample's always stays,
    and the model must predict the same target from the rest. Unlike with `GraphBuilder(signal_dropout=)`, the model
    also learns from each whole sample. Source: Neverova et al., "ModDrop: adaptive multi-modal gesture recognition"
    (2016), https://arxiv.org/abs/1501.00102.

    Args:
        objective: the loss of one prediction.
        probability: of leaving out a signal; above 0 and below 1.
        weight: as for every `Objective`.

    Raises:
        ValueError: an objective of another kind, a probability outside (0, 1), or a weight that is not above 0.
    """

    def __init__(self, objective: TargetObjective, *, probability: float = 0.5, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_inner("LeftOut", objective)
        check_number("LeftOut", "probability", probability, "one above 0 and below 1", above=0, below=1)
        self.objective = objective
        self.probability = probability
        self.outputs = objective.outputs
        self.reads = objective.reads
        self.name = f"{objective.name}_with_signals_left_out_at_{probability}"

    def view(self, batch: GraphBatch, builder: GraphBuilder, generators: Sequence[torch.Generator]) -> GraphBatch:
        """The batch without the signals that are drawn."""
        return builder.without(batch, drawn_of_batch(batch, builder.node_types, self.probability, generators))

    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The mean over the samples."""
        outputs = step.head(step.views[self.name].vector)
        return self.objective.loss(outputs, target_per_sample(step)) * self.objective.weight
