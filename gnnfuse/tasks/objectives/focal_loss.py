"""The focal loss over exclusive classes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.objectives.objective import ClassWeighted


class FocalLoss(ClassWeighted):
    """Cross-entropy that gives less weight to samples already classified with confidence.

        -(1 - p)^gamma log p, with p the probability of the true class

    With gamma 0 it is `CrossEntropy`. It is not a proper scoring rule: the softmax of the outputs understates the
    certainty that the data allow. Source: Lin, Goyal, Girshick, He and Dollar, "Focal Loss for Dense Object Detection"
    (2017), https://arxiv.org/abs/1708.02002.

    Args:
        gamma: how strongly confident samples are down-weighted; 0 or more.
        class_weights: factor on the loss of each class's samples, in the order of the classes; 1 by default.
        weight: as for every `Objective`.

    Raises:
        ValueError: a gamma that is not finite or below 0, or a weight that is not above 0.

    Example:
        >>> outputs = torch.tensor([[0.75, 0.25]]).log()
        >>> focal, plain = (FocalLoss(gamma=gamma).loss(outputs, torch.tensor([0])) for gamma in (2.0, 0.0))
        >>> round(float(focal / plain), 4)
        0.0625
    """

    name = "focal_loss"
    reads = frozenset({"class"})

    def __init__(
        self, *, gamma: float = 2.0, class_weights: Sequence[float] | None = None, weight: float = 1.0
    ) -> None:
        super().__init__(class_weights, weight)
        check_number("FocalLoss", "gamma", gamma, "a finite one, 0 or more", least=0)
        self.gamma = gamma

    def loss(self, outputs: Float[Tensor, "samples classes"], target: Int[Tensor, "samples"]) -> Float[Tensor, ""]:
        """The mean over the samples."""
        surprise = F.cross_entropy(outputs, target, reduction="none")
        each = (1 - torch.exp(-surprise)) ** self.gamma * surprise
        return (each if self.class_weight is None else each * self.class_weight[target]).mean()
