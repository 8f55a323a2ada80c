"""Any number of classes at once."""

from collections.abc import Mapping
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, MultiLabelTarget
from gnnfuse.tasks.class_weights import check_weights
from gnnfuse.tasks.probabilities import label_probabilities
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class MultiLabel(Task):
    """Decides for every class whether the sample has it, by binary cross-entropy.

    The scores of a prediction are probabilities at the label frequencies of the training data: the effect of class
    weights is removed (`gnnfuse.tasks.probabilities`). A label is predicted, for F1 too, where
    `weight * p / (weight * p + 1 - p)` is at least the threshold: at .5, from the probability `1 / (1 + weight)` on.
    Without weights p itself is compared with the threshold.

    Args:
        model: fuses each graph into one vector.
        builder: with a `MultiLabelTarget`.
        dropout: of the fused vector before the head.
        threshold: weighted probability from which a class counts as predicted.
        class_weights: how much having each class counts in the loss, where not having it counts 1; 1 by default.
        alone: weight of the losses of what each modality answers alone (`Task`).

    Raises:
        ValueError: the builder's target is not a `MultiLabelTarget`, not one positive weight per class, or a weight
            of `alone` for a model that cannot be asked.
    """

    monitor = "micro_f1"

    weight: Tensor | None

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        threshold: float = 0.5,
        class_weights: tuple[float, ...] | None = None,
        alone: float = 0.0,
    ) -> None:
        if not isinstance(builder.target, MultiLabelTarget) or not builder.target.classes:
            raise ValueError(
                f"MultiLabel needs a builder with target=MultiLabelTarget(classes), found {builder.target}"
            )
        super().__init__(model, builder, outputs=len(builder.target.classes), dropout=dropout, alone=alone)
        self.classes = builder.target.classes
        self.threshold = threshold
        self.class_weights = class_weights
        self.register_buffer("weight", check_weights(class_weights, self.classes), persistent=False)

    def losses(
        self, outputs: Float[Tensor, "graphs classes"], target: Float[Tensor, "graphs classes"]
    ) -> Mapping[str, Tensor]:
        """The mean binary cross-entropy."""
        return {"binary_cross_entropy": F.binary_cross_entropy_with_logits(outputs, target, pos_weight=self.weight)}

    def plain_losses(
        self, outputs: Float[Tensor, "graphs classes"], target: Float[Tensor, "graphs classes"]
    ) -> Mapping[str, Tensor]:
        """The mean binary cross-entropy, having and not having a class alike."""
        return {"binary_cross_entropy": F.binary_cross_entropy_with_logits(outputs, target)}

    def metrics(self) -> "MetricCollection":
        """F1 over all decisions (micro) and over the labels that occur (macro), and the calibration error."""
        from torchmetrics import MetricCollection

        from gnnfuse.tasks.metrics import CalibrationError, LabelF1

        probabilities = partial(label_probabilities, weights=self.class_weights)
        return MetricCollection(
            {
                "f1": LabelF1(partial(_predicted, threshold=self.threshold), len(self.classes)),
                "expected_calibration_error": CalibrationError(probabilities),
            }
        )

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs classes"]) -> list[Prediction]:
        """The predicted labels, and the probability of each label."""
        predicted = _predicted(outputs, threshold=self.threshold).tolist()
        probabilities = label_probabilities(outputs, weights=self.class_weights).tolist()
        return [
            Prediction(name, tuple(compress(self.classes, chosen)), dict(zip(self.classes, row, strict=True)))
            for name, chosen, row in zip(batch.ids, predicted, probabilities, strict=True)
        ]


def _predicted(outputs: Float[Tensor, "graphs classes"], *, threshold: float) -> Bool[Tensor, "graphs classes"]:
    """Which labels are predicted: those whose weighted probability reaches the threshold."""
    return outputs.float().sigmoid() >= threshold
