"""One number or several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget, Ragged
from gnnfuse.sample import Sample
from gnnfuse.tasks.linear_head import LinearHead
from gnnfuse.tasks.objectives import Objective, SquaredError
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Regression(Task):
    """Predicts numbers, by squared error on the scaled target; predictions are in the target's own unit.

    Scaling is undone and metrics are summed in float64: an offset of 1.7e9 changes neither. Several numbers have
    separate metrics, called "mean_absolute_error.<name>"; models are then selected by `normalized_mean_absolute_error`,
    the mean of each number's mean absolute error / standard deviation in training.

    Args:
        model: fuses each graph into one vector.
        builder: with a `NumberTarget`.
        dropout: of the fused vector before the head.
        objectives: the terms that training minimises; `SquaredError()` by default.
        head: turns fused vectors into outputs, in place of dropout and a linear map.

    Raises:
        ValueError: the builder's target is not a `NumberTarget`, or objectives that do not fit (`Task`).
    """

    monitor = "mean_absolute_error"
    higher_is_better = False
    sample_metric = "mean_absolute_error"

    def __init__(
        self,
        model: FusionModel,
        builder: GraphBuilder,
        *,
        dropout: float = 0.0,
        objectives: Sequence[Objective] | None = None,
        head: nn.Module | None = None,
    ) -> None:
        if not isinstance(builder.target, NumberTarget):
            raise ValueError(f"Regression needs a builder with target=NumberTarget(size), found {builder.target}")
        size = builder.target.size
        super().__init__(
            model,
            builder,
            head=LinearHead(model.dim, size, dropout) if head is None else head,
            outputs=size,
            objectives=[SquaredError()] if objectives is None else objectives,
            judge=SquaredError(),
        )
        self.dropout = dropout
        self.target = builder.target
        if size > 1:
            self.monitor = self.sample_metric = "normalized_mean_absolute_error"

    def metrics(self) -> "MetricCollection":
        """Mean absolute error and root mean squared error in the target's own unit and R2, for each number."""
        from torchmetrics import MetricCollection

        from gnnfuse.tasks.metrics import NumberErrors

        return MetricCollection({"errors": NumberErrors(self.target.labels, self.target.scale, self.target.mean)})

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        """Both in the target's own unit, in float64 on the CPU."""
        assert isinstance(target, Tensor)
        return self.target.decode(outputs), self.target.decode(target)

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """The absolute error; for several numbers, the mean of absolute error / standard deviation in training."""
        found = torch.as_tensor(prediction.label, dtype=torch.float64).reshape(-1)
        expected = torch.as_tensor(sample.target, dtype=torch.float64).reshape(-1)
        error = (found - expected).abs()
        if len(error) > 1:
            error = error / torch.tensor(self.target.scale, dtype=torch.float64)
        return float(error.mean())

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs numbers"]) -> list[Prediction]:
        """The numbers in the target's own unit: a float, or a tuple of several."""
        numbers = self.target.decode(outputs).tolist()
        return [
            Prediction(name, row[0] if len(row) == 1 else tuple(row))
            for name, row in zip(batch.ids, numbers, strict=True)
        ]
