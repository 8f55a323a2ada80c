"""Binary cross-entropy over labels."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.tasks.objectives.objective import ClassWeighted
from gnnfuse.tasks.probabilities import label_probabilities


class BinaryCrossEntropy(ClassWeighted):
    """The mean over samples and labels of the negative log-probability of having, or not having, the label.

    Args:
        class_weights: factor on the loss of having each label, relative to not having it; 1 by default.
        weight: as for every `Objective`.

    Raises:
        ValueError: a weight that is not above 0.
    """

    name = "binary_cross_entropy"
    reads = frozenset({"labels"})

    def __init__(self, *, class_weights: Sequence[float] | None = None, weight: float = 1.0) -> None:
        super().__init__(class_weights, weight)

    def loss(
        self, outputs: Float[Tensor, "samples labels"], target: Float[Tensor, "samples labels"]
    ) -> Float[Tensor, ""]:
        """The mean over samples and labels."""
        return F.binary_cross_entropy_with_logits(outputs, target, pos_weight=self.class_weight)

    def probabilities(self, outputs: Float[Tensor, "samples labels"]) -> Float[Tensor, "samples labels"]:
        """At the label frequencies of the training data: the effect of weights is removed."""
        return label_probabilities(outputs, weights=self.class_weights)
