"""One class out of several."""

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import ClassTarget, GraphBatch, GraphBuilder
from gnnfuse.tasks.conformal import LabelSets
from gnnfuse.tasks.linear_head import LinearHead
from gnnfuse.tasks.objectives import CrossEntropy, Objective
from gnnfuse.tasks.task import Prediction, Task, probabilities_of

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Classification(Task):
    """Chooses one class per sample, by cross-entropy.

    The scores of a prediction are probabilities at the class frequencies of the training data: the effects of class
    weights and label smoothing are removed (`gnnfuse.tasks.probabilities`). The predicted class, which all metrics but
    log loss and calibration error use, has the largest probability times weight, as a weight states the cost of missing
    a class (Elkan, "The foundations of cost-sensitive learning", 2001). Without weights it is the most probable class.

    Args:
        model: fuses each graph into one vector.
        builder: with a `ClassTarget`.
        dropout: of the fused vector before the head.
        objectives: the terms that training minimises; `CrossEntropy()` by default. Probabilities come from the first
            that defines them (`TargetObjective.probabilities`), else from the softmax of the outputs.
        head: turns fused vectors into outputs, in place of dropout and a linear map.
        label_set: from which probability on a class is in `Prediction.label_set`; None gives no sets.

    Raises:
        ValueError: the builder's target is not a `ClassTarget` of at least two classes, or objectives that do not fit
            (`Task`).

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.nodes import TextTokens
        >>> builder = GraphBuilder([TextTokens()], target=ClassTarget(("no", "yes")))
        >>> model = Unimodal.of(builder, dim=16, depth=1)
        >>> task = Classification(model, builder, objectives=[CrossEntropy(label_smoothing=0.1)])
        >>> [objective.name for objective in task.objectives]
        ['cross_entropy']
    """

    monitor = "accuracy"
    gives_probabilities = True

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        objectives: Sequence[Objective] | None = None,
        head: nn.Module | None = None,
        label_set: LabelSets | None = None,
    ) -> None:
        if not isinstance(builder.target, ClassTarget) or not builder.target.classes:
            raise ValueError(f"Classification needs a builder with target=ClassTarget(classes), found {builder.target}")
        classes = builder.target.classes
        if len(classes) < 2:
            raise ValueError(f"Classification: found one class, {classes[0]!r}, expected at least two")
        super().__init__(
            model,
            builder,
            head=LinearHead(model.dim, len(classes), dropout) if head is None else head,
            outputs=len(classes),
            objectives=[CrossEntropy()] if objectives is None else objectives,
            judge=CrossEntropy(),
        )
        self.dropout = dropout
        self.label_set = label_set
        self.classes = classes

    def metrics(self) -> "MetricCollection":
        """Accuracy, balanced accuracy, macro-averaged F1 (over the classes that occur), log loss and calibration error;
        coverage and size of label sets, if there are any.
        """
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        from gnnfuse.tasks.coverage_metrics import LabelSetCoverage
        from gnnfuse.tasks.metrics import BalancedAccuracy, CalibrationError, LogLoss

        count = max(2, len(self.classes))
        sets = {} if self.label_set is None else {"label_set": LabelSetCoverage(self._set_of)}
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(count, average="micro"),
                "balanced_accuracy": BalancedAccuracy(count),
                "macro_f1": MulticlassF1Score(count, average="macro"),
                "log_loss": LogLoss(self._probabilities),
                "expected_calibration_error": CalibrationError(self._probabilities),
                **sets,
            }
        )

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs classes"]) -> list[Prediction]:
        """The class with the largest probability times weight, the probability of each class, and the label set."""
        best = outputs.argmax(dim=1).tolist()
        probabilities = self._probabilities(outputs).tolist()
        sets = None if self.label_set is None else self._set_of(outputs).tolist()
        return [
            Prediction(
                name,
                self.classes[best[place]],
                dict(zip(self.classes, probabilities[place], strict=True)),
                label_set=None if sets is None else tuple(compress(self.classes, sets[place])),
            )
            for place, name in enumerate(batch.ids)
        ]

    def blendable(self, outputs: Float[Tensor, "graphs classes"]) -> Float[Tensor, "graphs classes"]:
        """Probabilities."""
        return self._probabilities(outputs)

    def unblended(self, mean: Float[Tensor, "graphs classes"]) -> Float[Tensor, "graphs classes"]:
        """Log-probabilities, from probabilities of at least the smallest positive float."""
        return mean.clamp_min(torch.finfo(mean.dtype).tiny).log()

    def _set_of(self, outputs: Float[Tensor, "graphs classes"]) -> Bool[Tensor, "graphs classes"]:
        """Which classes are in the set: the probable ones and the predicted one."""
        assert self.label_set is not None
        predicted = one_hot(outputs.argmax(dim=1), outputs.shape[1]).bool()
        return self.label_set.contain(self._probabilities(outputs)) | predicted

    def _probabilities(self, outputs: Float[Tensor, "graphs classes"]) -> Float[Tensor, "graphs classes"]:
        found = probabilities_of(self.objectives, outputs)
        return outputs.float().softmax(dim=1) if found is None else found
