"""Cross-entropy over exclusive classes."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.objectives.objective import ClassWeighted
from gnnfuse.tasks.probabilities import class_probabilities


class CrossEntropy(ClassWeighted):
    """The mean negative log-probability of the true class.

    Args:
        label_smoothing: share of the target to spread over all classes; at least 0 and below 1.
        class_weights: factor on the loss of each class's samples, in the order of the classes; 1 by default.
            `balanced_weights` makes them from counts.
        weight: as for every `Objective`.

    Raises:
        ValueError: a smoothing outside [0, 1), or a weight that is not above 0.

    Example:
        >>> import torch
        >>> float(CrossEntropy(class_weights=(1.0, 3.0)).loss(torch.zeros(2, 2), torch.tensor([0, 1]))) / 2
        0.6931471824645996
    """

    name = "cross_entropy"
    reads = frozenset({"class"})

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(class_weights, weight)
        check_number("CrossEntropy", "label_smoothing", label_smoothing, "at least 0 and below 1", least=0, below=1)
        self.label_smoothing = label_smoothing

    def loss(self, outputs: Float[Tensor, "samples classes"], target: Int[Tensor, "samples"]) -> Float[Tensor, ""]:
        """The mean over samples, each times the weight of its class."""
        smooth = self.label_smoothing
        if self.class_weight is None:
            return F.cross_entropy(outputs, target, label_smoothing=smooth)
        # Not F.cross_entropy's weight=, which divides by the batch's total weight: parts of a step would not add up.
        each = F.cross_entropy(outputs, target, label_smoothing=smooth, reduction="none")
        return (each * self.class_weight[target]).mean()

    def probabilities(self, outputs: Float[Tensor, "samples classes"]) -> Float[Tensor, "samples classes"]:
        """At the class frequencies of the training data: the effects of weights and smoothing are removed."""
        return class_probabilities(outputs, weights=self.class_weights, smoothing=self.label_smoothing)
