"""The loss of each modality's own prediction."""

from jaxtyping import Float
from torch import Tensor

from gnnfuse.tasks.objectives.check_objectives import check_inner
from gnnfuse.tasks.objectives.objective import Objective, Step, TargetObjective, target_per_sample


class EachModality(Objective):
    """The loss of the head's outputs for each modality alone, summed over a sample's modalities.

    Without it, the modality that is learned fastest keeps the others from learning: Wang, Tran and Feiszli, "What Makes
    Training Multi-modal Classification Networks Hard?" (2020), https://arxiv.org/abs/1905.12681. The task's single head
    is applied to every part in `Fused.parts`.

    Args:
        objective: the loss of one output.
        weight: factor on the sum; above 0.

    Raises:
        ValueError: a weight that is not above 0, or an objective that needs more than outputs and targets.
    """

    needs = frozenset({"parts"})

    def __init__(self, objective: TargetObjective, *, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_inner("EachModality", objective)
        self.objective = objective
        self.outputs = objective.outputs
        self.reads = objective.reads
        self.name = f"{objective.name}_of_each_modality"

    def forward(self, step: Step) -> Float[Tensor, ""]:
        """The mean over samples of the sum over their modalities; 0 if no sample has any."""
        parts, present = step.fused.parts, step.fused.present
        assert parts is not None  # a task refuses models without parts
        assert present is not None
        graph = present.nonzero()[:, 0]
        if not len(graph):
            return step.outputs.new_zeros(())
        found = self.objective.loss(step.head(parts[present]), target_per_sample(step)[graph])
        return found * (self.objective.weight * len(graph) / len(present))
