"""Any number of classes at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, MultiLabelTarget
from gnnfuse.tasks.class_weights import check_weights
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class MultiLabel(Task):
    """Says of every class whether the sample has it, by binary cross-entropy.

    Args:
        model: fuses each graph into one vector.
        builder: with a `MultiLabelTarget`.
        dropout: of the fused vector before the head.
        threshold: probability from which a class counts as predicted.
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
        """F1 over all decisions (micro) and over classes (macro)."""
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MultilabelF1Score

        count = len(self.classes)
        return MetricCollection(
            {
                "micro_f1": MultilabelF1Score(count, threshold=self.threshold, average="micro"),
                "macro_f1": MultilabelF1Score(count, threshold=self.threshold, average="macro"),
            }
        )

    def measured(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Targets as whole numbers, as torchmetrics asks for."""
        return outputs, target.long()

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs classes"]) -> list[Prediction]:
        """The classes above the threshold, and the probability of each."""
        predictions = []
        for name, row in zip(batch.ids, outputs.float().sigmoid().cpu().tolist(), strict=True):
            scores = dict(zip(self.classes, row, strict=True))
            predicted = tuple(known for known, score in scores.items() if score >= self.threshold)
            predictions.append(Prediction(name, predicted, scores))
        return predictions
