"""Metrics as float64 sums; only `Task.metrics` imports this file, as importing torchmetrics takes seconds."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torchmetrics import Metric

BINS = 15
WITHOUT_FLOAT64 = ("mps",)


class Sums(Metric):
    """A metric whose states are sums in float64; they stay on the CPU if the device lacks float64."""

    full_state_update = False

    def add_sum(self, name: str, *shape: int) -> None:
        """Add a state that starts at zero and is summed over processes."""
        self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        if fn(torch.empty(0)).device.type in WITHOUT_FLOAT64:
            return self
        return super()._apply(fn, exclude_state)


class NumberErrors(Sums):
    """Mean absolute and root mean squared error of one number, or of each of several by its name.

    Several numbers also have `normalized_mean_absolute_error`, by which models are selected: the mean of each number's
    mean absolute error / standard deviation in training, as errors in different units cannot be averaged.

    Args:
        names: of the numbers.
        scale: their standard deviations in training.

    Example:
        >>> errors = NumberErrors(("mass", "ratio"), (1000.0, 0.5))
        >>> errors.update(torch.tensor([[3000.0, 0.5]]), torch.tensor([[1000.0, 0.0]]))
        >>> {name: float(value) for name, value in errors.compute().items() if "root" not in name}
        {'normalized_mean_absolute_error': 1.5, 'mean_absolute_error.mass': 2000.0, 'mean_absolute_error.ratio': 0.5}
    """

    higher_is_better = False
    absolute: Tensor
    squared: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str], scale: Sequence[float]) -> None:
        super().__init__()
        self.names, self.scale = tuple(names), tuple(scale)
        self.add_sum("absolute", len(self.names))
        self.add_sum("squared", len(self.names))
        self.add_sum("count")

    def update(self, predictions: Float[Tensor, "graphs numbers"], targets: Float[Tensor, "graphs numbers"]) -> None:
        """Add predictions and targets, each number in its own unit."""
        error = (predictions.to(self.absolute.device).double() - targets.to(self.absolute.device).double()).abs()
        self.absolute += error.sum(dim=0)
        self.squared += error.square().sum(dim=0)
        self.count += len(error)

    def compute(self) -> dict[str, Tensor]:
        """The errors by name."""
        absolute, squared = self.absolute / self.count, (self.squared / self.count).sqrt()
        if len(self.names) == 1:
            return {"mean_absolute_error": absolute[0], "root_mean_squared_error": squared[0]}
        normalized = (absolute / absolute.new_tensor(self.scale)).mean()
        return {
            "normalized_mean_absolute_error": normalized,
            **{f"mean_absolute_error.{name}": error for name, error in zip(self.names, absolute, strict=True)},
            **{f"root_mean_squared_error.{name}": error for name, error in zip(self.names, squared, strict=True)},
        }


class LabelF1(Sums):
    """F1 over all decisions (`micro_f1`), and its mean over the labels (`macro_f1`).

    The macro mean ignores labels that occur in neither targets nor predictions, as torchmetrics' multiclass F1 does:
    counted as 0 they would measure how small the split is. If all are ignored, both are 0.

    Args:
        decide: outputs `[graphs, labels]` -> which labels are predicted, a bool each.
        labels: number of labels.

    Example:
        >>> f1 = LabelF1(lambda outputs: outputs > 0, 3)
        >>> f1.update(torch.tensor([[1.0, 1.0, -1.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
        >>> {name: round(float(value), 3) for name, value in f1.compute().items()}
        {'micro_f1': 0.667, 'macro_f1': 0.5}
    """

    higher_is_better = True
    right: Tensor
    either: Tensor

    def __init__(self, decide: Callable[[Tensor], Tensor], labels: int) -> None:
        super().__init__()
        self.decide = decide
        self.add_sum("right", labels)
        self.add_sum("either", labels)

    def update(self, outputs: Float[Tensor, "graphs labels"], targets: Shaped[Tensor, "graphs labels"]) -> None:
        """Add the head's outputs, and targets: 1 for every label that a sample has."""
        predicted, true = (each.to(self.right.device).double() for each in (self.decide(outputs), targets))
        self.right += (predicted * true).sum(dim=0)
        self.either += (predicted + true).sum(dim=0)

    def compute(self) -> dict[str, Tensor]:
        """Micro and macro F1 by name."""
        occurs = self.either > 0
        each = 2 * self.right[occurs] / self.either[occurs]
        micro = 2 * self.right.sum() / self.either.sum().clamp(min=1)
        return {"micro_f1": micro, "macro_f1": each.mean() if len(each) else micro}


class CalibrationError(Sums):
    """The expected calibration error: how far predicted probabilities are from observed frequencies.

    Predictions are sorted into 15 bins of equal width by their probability p; y is 1 for a right one, else 0. The error
    is `sum over bins of |sum of (p - y)| / predictions`, the mean of |accuracy - confidence| over predictions. Naeini,
    Cooper and Hauskrecht (2015); Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017),
    https://arxiv.org/abs/1706.04599. With exclusive classes the most probable one counts, with several labels every
    label of every sample.

    Args:
        probabilities: outputs of the head -> probabilities.

    Example:
        >>> error = CalibrationError(lambda outputs: outputs)
        >>> error.update(torch.tensor([[0.75, 0.25]]), torch.tensor([0]))
        >>> float(error.compute())
        0.25
    """

    higher_is_better = False
    off: Tensor
    count: Tensor

    def __init__(self, probabilities: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.probabilities = probabilities
        self.add_sum("off", BINS)
        self.add_sum("count")

    def update(self, outputs: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]) -> None:
        """Add the head's outputs, and targets: class numbers, or 1 for every label that a sample has."""
        probabilities = self.probabilities(outputs)
        if targets.ndim == 1:
            probabilities, chosen = probabilities.max(dim=1)
            targets = chosen == targets
        certain = probabilities.flatten().to(self.off.device).double()
        place = (certain * BINS).long().clamp(0, BINS - 1)  # NaN makes the error NaN in any bin
        self.off.index_add_(0, place, certain - targets.flatten().to(self.off.device).double())
        self.count += len(certain)

    def compute(self) -> Tensor:
        """The error, between 0 and 1."""
        return self.off.abs().sum() / self.count
