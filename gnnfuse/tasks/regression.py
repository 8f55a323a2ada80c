"""One number or several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.fusion_model import FusionModel
from gnnfuse.graph import GraphBatch, GraphBuilder, NumberTarget, Ragged
from gnnfuse.sample import Sample
from gnnfuse.tasks.conformal import Intervals
from gnnfuse.tasks.linear_head import LinearHead
from gnnfuse.tasks.objectives import Huber, Objective, SquaredError
from gnnfuse.tasks.task import Prediction, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Regression(Task):
    """Predicts numbers, by squared error on the scaled target; predictions are in the target's own unit.

    A prediction is an estimate of the mean with `SquaredError`, and lies between mean and median with `Huber`. If the
    target is transformed (`NumberTarget.fit_robust`), it is the mean of the transformed number transformed back, which
    is closer to the median of a skewed number than to its mean: sums of such predictions are too small.

    Scaling is undone and metrics are summed in float64: an offset of 1.7e9 changes neither. Several numbers have
    separate metrics, called "mean_absolute_error.<name>"; models are then selected by `normalized_mean_absolute_error`,
    the mean of each number's mean absolute error / spread in training (`NumberTarget.spread`).

    Args:
        model: fuses each graph into one vector.
        builder: with a `NumberTarget`.
        dropout: of the fused vector before the head.
        objectives: the terms that training minimises; `SquaredError()` by default. A `Huber` among them also judges
            epochs, as squared errors of a few extreme targets would dominate.
        intervals: half-widths of `Prediction.interval`; None gives no intervals.
        head: turns fused vectors into outputs, in place of dropout and a linear map.

    Raises:
        ValueError: the builder's target is not a `NumberTarget`, objectives that do not fit (`Task`), or intervals
            of another number of numbers.
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
        intervals: Intervals | None = None,
    ) -> None:
        if not isinstance(builder.target, NumberTarget):
            raise ValueError(f"Regression needs a builder with target=NumberTarget(size), found {builder.target}")
        size = builder.target.size
        if intervals is not None and len(intervals.half_widths) != size:
            raise ValueError(f"Regression: found {intervals}, expected {size} half-widths, one per number")
        huber = [Huber(each.delta) for each in objectives or () if isinstance(each, Huber)]
        super().__init__(
            model,
            builder,
            head=LinearHead(model.dim, size, dropout) if head is None else head,
            outputs=size,
            objectives=[SquaredError()] if objectives is None else objectives,
            judge=(*huber, SquaredError())[0],
        )
        self.dropout = dropout
        self.target = builder.target
        self.intervals = intervals
        if size > 1:
            self.monitor = self.sample_metric = "normalized_mean_absolute_error"

    def metrics(self) -> "MetricCollection":
        """For each number mean absolute and root mean squared error in its own unit, and R2; coverage and width of
        intervals, if there are any.
        """
        from torchmetrics import MetricCollection

        from gnnfuse.tasks.coverage_metrics import IntervalCoverage
        from gnnfuse.tasks.metrics import NumberErrors

        names = self.target.labels
        intervals = {} if self.intervals is None else {"intervals": IntervalCoverage(names, self._ends)}
        errors = NumberErrors(names, self.target.spread, self.target.center)
        return MetricCollection({"errors": errors, **intervals})

    def measured(self, outputs: Tensor, target: Tensor | Ragged) -> tuple[Tensor, Tensor]:
        """Both in the target's own unit, in float64 on the CPU."""
        assert isinstance(target, Tensor)
        return self.target.decode(outputs), self.target.decode(target)

    def score(self, prediction: Prediction, sample: Sample) -> float:
        """The absolute error; for several numbers, the mean of absolute error / spread in training."""
        found = torch.as_tensor(prediction.label, dtype=torch.float64).reshape(-1)
        expected = torch.as_tensor(sample.target, dtype=torch.float64).reshape(-1)
        error = (found - expected).abs()
        if len(error) > 1:
            error = error / torch.tensor(self.target.spread, dtype=torch.float64)
        return float(error.mean())

    def describe(self, batch: GraphBatch, outputs: Float[Tensor, "graphs numbers"]) -> list[Prediction]:
        """The numbers in the target's own unit, a float or a tuple of several, and their intervals."""
        numbers = self.target.decode(outputs)
        each = list(map(_one_or_several, numbers.tolist()))
        if self.intervals is None:
            return [Prediction(name, number) for name, number in zip(batch.ids, each, strict=True)]
        ends = torch.stack(self._ends(numbers), dim=2).tolist()
        return [
            Prediction(name, number, interval=_one_or_several(list(map(tuple, row))))
            for name, number, row in zip(batch.ids, each, ends, strict=True)
        ]

    def _ends(self, numbers: Float[Tensor, "graphs numbers"]) -> tuple[Tensor, Tensor]:
        """Lower and upper ends of the intervals around predicted numbers, in the target's own unit."""
        assert self.intervals is not None
        scaled, half = self.target.scaled(numbers), torch.tensor(self.intervals.half_widths, dtype=torch.float64)
        return self.target.decode(scaled - half), self.target.decode(scaled + half)


def _one_or_several(row: list[Any]) -> Any:
    """The only entry, or all as a tuple."""
    return row[0] if len(row) == 1 else tuple(row)
