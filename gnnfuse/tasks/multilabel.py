"""Any number of classes at once."""

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, MultiLabelTarget
from gnnfuse.sample import Sample
from gnnfuse.tasks.check_number import check_number
from gnnfuse.tasks.conformal import LabelSets
from gnnfuse.tasks.linear_head import LinearHead
from gnnfuse.tasks.objectives import BinaryCrossEntropy, Objective
from gnnfuse.tasks.task import Prediction, Task, probabilities_of

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class MultiLabel(Task):
    """Predicts for every class whether the sample has it, by binary cross-entropy.

    The scores of a prediction are probabilities at the label frequencies of the training data: the effect of class
    weights is removed (`gnnfuse.tasks.probabilities`). A label is predicted, also for F1, if
    `weight * p / (weight * p + 1 - p)` is at least the threshold: for .5, if p is at least `1 / (1 + weight)`. Without
    weights, p itself is compared with the threshold.

    Args:
        model: fuses each graph into one vector.
        builder: with a `MultiLabelTarget`.
        dropout: of the fused vector before the head.
        threshold: least weighted probability at which a class is predicted.
        objectives: the terms that training minimises; `BinaryCrossEntropy()` by default. Probabilities come from the
            first that defines them (`TargetObjective.probabilities`), else from the sigmoid of the outputs.
        head: turns fused vectors into outputs, in place of dropout and a linear map.
        label_set: from which probability on a label is in `Prediction.label_set`; None gives no sets.

    Raises:
        ValueError: the builder's target is not a `MultiLabelTarget`, a threshold outside (0, 1), or objectives that do
            not fit (`Task`).
    """

    monitor = "micro_f1"
    sample_metric = "exact_match"
    gives_probabilities = True

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        threshold: float = 0.5,
        objectives: Sequence[Objective] | None = None,
        head: nn.Module | None = None,
        label_set: LabelSets | None = None,
    ) -> None:
        if not isinstance(builder.target, MultiLabelTarget) or not builder.target.classes:
            raise ValueError(
                f"MultiLabel needs a builder with target=MultiLabelTarget(classes), found {builder.target}"
            )
        check_number("MultiLabel", "threshold", threshold, "above 0 and below 1", above=0, below=1)
        classes = builder.target.classes
        super().__init__(
            model,
            builder,
            head=LinearHead(model.dim, len(classes), dropout) if head is None else head,
            outputs=len(classes),
            objectives=[BinaryCrossEntropy()] if objectives is None else objectives,
            judge=BinaryCrossEntropy(),
        )
        self.dropout = dropout
        self.threshold = threshold
        self.label_set = label_set
        self.classes = classes

    def metrics(self) -> "MetricCollection":
        """F1 over all decisions (micro) and over the labels that occur (macro), mean average precision, log loss (over
        samples and labels) and the calibration error; coverage and size of label sets, if there are any.
        """
        from torchmetrics import MetricCollection

        from gnnfuse.tasks.coverage_metrics import LabelSetCoverage
        from gnnfuse.tasks.metrics import CalibrationError, LabelF1, LogLoss, MeanAveragePrecision

        sets = {} if self.label_set is None else {"label_set": LabelSetCoverage(self._set_of)}
        return MetricCollection(
            {
                "f1": LabelF1(partial(_predicted, threshold=self.threshold), len(self.classes)),
                "mean_average_precision": MeanAveragePrecision(),
                "log_loss": LogLoss(self._probabilities),
                "expected_calibration_error": CalibrationError(self._probabilities),
                **sets,
            }
        )

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """1 if exactly the sample's labels are predicted, else 0."""
        assert self.builder.target is not None
        expected = self.builder.target.named(sample)
        assert isinstance(prediction.label, tuple)
        assert isinstance(expected, tuple)
        return float(set(prediction.label) == set(expected))

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs classes"]) -> list[Prediction]:
        """The predicted labels, the probability of each label, and the label set."""
        predicted = _predicted(outputs, threshold=self.threshold).tolist()
        probabilities = self._probabilities(outputs).tolist()
        sets = None if self.label_set is None else self._set_of(outputs).tolist()
        return [
            Prediction(
                name,
                tuple(compress(self.classes, predicted[place])),
                dict(zip(self.classes, probabilities[place], strict=True)),
                label_set=None if sets is None else tuple(compress(self.classes, sets[place])),
            )
            for place, name in enumerate(batch.ids)
        ]

    def blendable(self, outputs: Float[Tensor, "graphs classes"]) -> Float[Tensor, "graphs classes"]:
        """Probabilities."""
        return self._probabilities(outputs)

    def unblended(self, mean: Float[Tensor, "graphs classes"]) -> Float[Tensor, "graphs classes"]:
        """Logits, within the range that floats can express."""
        return mean.logit(eps=torch.finfo(mean.dtype).eps)

    def _set_of(self, outputs: Float[Tensor, "graphs labels"]) -> Bool[Tensor, "graphs labels"]:
        """Which labels are in the set: the probable ones and the predicted ones."""
        assert self.label_set is not None
        predicted = _predicted(outputs, threshold=self.threshold)
        return self.label_set.contain(self._probabilities(outputs)) | predicted

    def _probabilities(self, outputs: Float[Tensor, "graphs labels"]) -> Float[Tensor, "graphs labels"]:
        found = probabilities_of(self.objectives, outputs)
        return outputs.float().sigmoid() if found is None else found


def _predicted(outputs: Float[Tensor, "graphs classes"], *, threshold: float) -> Bool[Tensor, "graphs classes"]:
    """Which labels are predicted: those whose weighted probability reaches the threshold."""
    return outputs.float().sigmoid() >= threshold
