"""Squared error of scaled numbers."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.objectives.objective import TargetObjective


class SquaredError(TargetObjective):
    """The mean squared error of the scaled numbers.

    Args:
        weight: as for every `Objective`.

    Raises:
        ValueError: a weight that is not above 0.
    """

    name = "squared_error"
    reads = frozenset({"numbers"})

    def loss(
        self, outputs: Float[Tensor, "samples numbers"], target: Float[Tensor, "samples numbers"]
    ) -> Float[Tensor, ""]:
        """The mean over samples and numbers."""
        return F.mse_loss(outputs, target)
