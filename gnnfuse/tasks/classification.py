"""One class out of several."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.tasks.class_weights import check_weights
from gnnfuse.tasks.probabilities import class_probabilities
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Classification(Task):
    """Chooses one class per sample, by cross-entropy.

    The scores of a prediction are probabilities at the class frequencies of the training data: the effects of class
    weights and label smoothing are removed (`gnnfuse.tasks.probabilities`). The predicted class, which all metrics but
    the calibration error use, has the largest probability times weight, as a weight states the cost of missing a class
    (Elkan, "The foundations of cost-sensitive learning", 2001). Without weights it is the most probable class.

    Args:
        model: fuses each graph into one vector.
        builder: with a `ClassTarget`.
        dropout: of the fused vector before the head.
        label_smoothing: share of the target spread over all classes.
        class_weights: how much a sample of each class counts in the loss, in the order of the classes; alike by
            default. `balanced_weights` makes them from counts.
        alone: weight of the losses of what each modality answers alone (`Task`).

    Raises:
        ValueError: the builder's target is not a `ClassTarget`, not one positive weight per class, or a weight
            of `alone` for a model that cannot be asked.
    """

    monitor = "accuracy"

    weight: Tensor | None

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: tuple[float, ...] | None = None,
        alone: float = 0.0,
    ) -> None:
        if not isinstance(builder.target, ClassTarget) or not builder.target.classes:
            raise ValueError(f"Classification needs a builder with target=ClassTarget(classes), found {builder.target}")
        super().__init__(model, builder, outputs=len(builder.target.classes), dropout=dropout, alone=alone)
        self.classes = builder.target.classes
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.register_buffer("weight", check_weights(class_weights, self.classes), persistent=False)

    def losses(self, outputs: Float[Tensor, "graphs classes"], target: Int[Tensor, "graphs"]) -> Mapping[str, Tensor]:
        """The mean cross-entropy, each sample's times its class's weight."""
        smooth = self.label_smoothing
        if self.weight is None:
            return {"cross_entropy": F.cross_entropy(outputs, target, label_smoothing=smooth)}
        # Not F.cross_entropy's weight=, which divides by the batch's own weights: parts of a step would not add up.
        each = F.cross_entropy(outputs, target, label_smoothing=smooth, reduction="none")
        return {"cross_entropy": (each * self.weight[target]).mean()}

    def plain_losses(
        self, outputs: Float[Tensor, "graphs classes"], target: Int[Tensor, "graphs"]
    ) -> Mapping[str, Tensor]:
        """The mean cross-entropy of the targets as they are, all classes alike."""
        return {"cross_entropy": F.cross_entropy(outputs, target)}

    def metrics(self) -> "MetricCollection":
        """Accuracy, macro-averaged F1 (over the classes that occur), and the probabilities' calibration error."""
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        from gnnfuse.tasks.metrics import CalibrationError

        count = max(2, len(self.classes))
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(count, average="micro"),
                "macro_f1": MulticlassF1Score(count, average="macro"),
                "expected_calibration_error": CalibrationError(self._probabilities),
            }
        )

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs classes"]) -> list[Prediction]:
        """The class with the largest probability times weight, and the probability of each class."""
        best = outputs.argmax(dim=1).tolist()
        probabilities = self._probabilities(outputs).tolist()
        return [
            Prediction(name, self.classes[number], dict(zip(self.classes, row, strict=True)))
            for name, number, row in zip(batch.ids, best, probabilities, strict=True)
        ]

    @property
    def _probabilities(self) -> "partial[Tensor]":
        return partial(class_probabilities, weights=self.class_weights, smoothing=self.label_smoothing)
