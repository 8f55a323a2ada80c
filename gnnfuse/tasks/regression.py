"""One number or several."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Regression(Task):
    """Predicts numbers, by squared error on the scaled target; predictions come back in the target's own unit.

    Scaling is undone in float64, and metrics are summed in float64: an offset of 1.7e9 changes neither. Several numbers
    have separate metrics, called "mean_absolute_error.<name>"; models are then selected by
    `normalized_mean_absolute_error`, the mean over the numbers of mean absolute error / standard deviation in training.

    Args:
        model: fuses each graph into one vector.
        builder: with a `NumberTarget`.
        dropout: of the fused vector before the head.
        alone: weight of the losses of what each modality answers alone (`Task`).

    Raises:
        ValueError: the builder's target is not a `NumberTarget`, or a weight for a model that cannot be asked.
    """

    monitor = "mean_absolute_error"
    higher_is_better = False

    def __init__(self, model: FusionModel, builder: GraphBuilder, *, dropout: float = 0.0, alone: float = 0.0) -> None:
        if not isinstance(builder.target, NumberTarget):
            raise ValueError(f"Regression needs a builder with target=NumberTarget(size), found {builder.target}")
        super().__init__(model, builder, outputs=builder.target.size, dropout=dropout, alone=alone)
        self.target = builder.target
        if self.target.size > 1:
            self.monitor = "normalized_mean_absolute_error"

    def losses(
        self, outputs: Float[Tensor, "graphs numbers"], target: Float[Tensor, "graphs numbers"]
    ) -> Mapping[str, Tensor]:
        """The mean squared error of the scaled numbers."""
        return {"squared_error": F.mse_loss(outputs, target)}

    def metrics(self) -> "MetricCollection":
        """Mean absolute and root mean squared error in the target's own unit, for each number."""
        from torchmetrics import MetricCollection

        from gnnfuse.tasks.metrics import NumberErrors

        return MetricCollection({"errors": NumberErrors(self.target.labels, self.target.scale)})

    def measured(self, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both in the target's own unit, in float64 on the CPU."""
        return self.target.decode(outputs), self.target.decode(target)

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs numbers"]) -> list[Prediction]:
        """The numbers in the target's own unit: a float, or a tuple of several."""
        numbers = self.target.decode(outputs).tolist()
        return [
            Prediction(name, row[0] if len(row) == 1 else tuple(row), {})
            for name, row in zip(batch.ids, numbers, strict=True)
        ]
