"""Huber's loss of scaled numbers."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.objectives.objective import TargetObjective


class Huber(TargetObjective):
    """Half the squared error of errors up to `delta`, and beyond it a straight line of the same slope.

    With e the error of a scaled number: `e^2 / 2` if |e| <= delta, else `delta (|e| - delta / 2)`, averaged over
    samples and numbers. An extreme target then moves a prediction no more than one that is off by `delta`. Huber,
    "Robust estimation of a location parameter" (1964), https://doi.org/10.1214/aoms/1177703732.

    Args:
        delta: in units of the scale (`NumberTarget.scale`); above 0.
        weight: as for every `Objective`.

    Raises:
        ValueError: a delta or weight that is not above 0 and finite.

    Example:
        >>> import torch
        >>> float(Huber(delta=1.0).loss(torch.zeros(2, 1), torch.tensor([[0.5], [3.0]])))
        1.3125
    """

    name = "huber"
    reads = frozenset({"numbers"})

    def __init__(self, delta: float = 1.0, *, weight: float = 1.0) -> None:
        super().__init__(weight)
        check_number("Huber", "delta", delta, "a finite one above 0", above=0)
        self.delta = delta

    def loss(
        self, outputs: Float[Tensor, "samples numbers"], target: Float[Tensor, "samples numbers"]
    ) -> Float[Tensor, ""]:
        """The mean over samples and numbers."""
        return F.huber_loss(outputs, target, delta=self.delta)
