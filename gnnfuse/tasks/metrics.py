"""Metrics as float64 sums; only `Task.metrics` imports this file, as importing torchmetrics takes seconds."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_average_precision
from torchmetrics.utilities import dim_zero_cat

from gnnfuse.tasks.calibration import BINS, certainties, in_bins, off_by

ROUNDING = 1e-12  # relative to what is subtracted: a smaller difference may be rounding
EPS = torch.finfo(torch.float32).eps
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
    """Mean absolute error, root mean squared error and R2 of one number, or of each of several by its name.

    R2 is 1 - squared errors / squared distances of the targets from their mean. If they are all equal it is 1 where
    predictions are exact, else 0, as in scikit-learn. Several numbers also have `normalized_mean_absolute_error`, by
    which models are selected: the mean of each number's mean absolute error / spread in training, as errors in
    different units cannot be averaged.

    Args:
        names: of the numbers.
        scale: their spreads in training.
        center: numbers near them, such as their means in training; sums of squares are taken around these.

    Example:
        >>> errors = NumberErrors(("mass", "ratio"), (1000.0, 0.5), (0.0, 0.0))
        >>> errors.update(torch.tensor([[3000.0, 0.5]]), torch.tensor([[1000.0, 0.0]]))
        >>> {name: float(value) for name, value in errors.compute().items() if "absolute" in name}
        {'normalized_mean_absolute_error': 1.5, 'mean_absolute_error.mass': 2000.0, 'mean_absolute_error.ratio': 0.5}
    """

    higher_is_better = False
    absolute: Tensor
    squared: Tensor
    shifted: Tensor
    shifted_squared: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str], scale: Sequence[float], center: Sequence[float]) -> None:
        super().__init__()
        self.names, self.scale, self.center = tuple(names), tuple(scale), tuple(center)
        self.add_sum("absolute", len(self.names))
        self.add_sum("squared", len(self.names))
        self.add_sum("shifted", len(self.names))
        self.add_sum("shifted_squared", len(self.names))
        self.add_sum("count")

    def update(self, predictions: Float[Tensor, "graphs numbers"], targets: Float[Tensor, "graphs numbers"]) -> None:
        """Add predictions and targets, each number in its own unit."""
        found, true = (each.to(self.absolute.device).double() for each in (predictions, targets))
        error, shifted = (found - true).abs(), true - true.new_tensor(self.center)
        self.absolute += error.sum(dim=0)
        self.squared += error.square().sum(dim=0)
        self.shifted += shifted.sum(dim=0)
        self.shifted_squared += shifted.square().sum(dim=0)
        self.count += len(error)

    def compute(self) -> dict[str, Tensor]:
        """The errors by name."""
        spread = self.shifted_squared - self.shifted.square() / self.count
        each = {
            "mean_absolute_error": self.absolute / self.count,
            "root_mean_squared_error": (self.squared / self.count).sqrt(),
            "r2": torch.where(
                spread > ROUNDING * self.shifted_squared, 1 - self.squared / spread, (self.squared == 0).double()
            ),
        }
        if len(self.names) == 1:
            return {error: values[0] for error, values in each.items()}
        normalized = (each["mean_absolute_error"] / self.absolute.new_tensor(self.scale)).mean()
        return {"normalized_mean_absolute_error": normalized} | {
            f"{error}.{name}": value
            for error, values in each.items()
            for name, value in zip(self.names, values, strict=True)
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
    """The expected calibration error (`gnnfuse.tasks.calibration`).

    Args:
        probabilities: outputs of the head -> probabilities.

    Example:
        >>> error = CalibrationError(lambda outputs: outputs)
        >>> error.update(torch.tensor([[0.75, 0.25]]), torch.tensor([0]))
        >>> float(error.compute())
        0.25
    """

    higher_is_better = False
    bins: Tensor

    def __init__(self, probabilities: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.probabilities = probabilities
        self.add_sum("bins", 3, BINS)

    def update(self, outputs: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]) -> None:
        """Add the head's outputs, and targets: class numbers, or 1 for every label that a sample has."""
        certain, true = certainties(self.probabilities(outputs), targets)
        self.bins += in_bins(certain.to(self.bins.device), true.to(self.bins.device))

    def compute(self) -> Tensor:
        """The error, between 0 and 1."""
        return off_by(self.bins)


class LogLoss(Sums):
    """The mean negative log-probability of the truth: of the true class, or over labels of having or not having each.

    Probabilities are clipped to [eps, 1 - eps], with eps = 1.2e-7 of float32, as scikit-learn does.

    Args:
        probabilities: outputs of the head -> probabilities.

    Example:
        >>> loss = LogLoss(lambda outputs: outputs)
        >>> loss.update(torch.tensor([[0.75, 0.25]]), torch.tensor([1]))
        >>> round(float(loss.compute().exp()), 6)
        4.0
    """

    higher_is_better = False
    total: Tensor
    count: Tensor

    def __init__(self, probabilities: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.probabilities = probabilities
        self.add_sum("total")
        self.add_sum("count")

    def update(self, outputs: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]) -> None:
        """Add the head's outputs, and targets: class numbers, or 1 for every label that a sample has."""
        found = self.probabilities(outputs).to(self.total.device).double()
        targets = targets.to(found.device)
        if targets.ndim == 1:
            of_truth = found.gather(1, targets.long().unsqueeze(1))
        else:
            of_truth = torch.where(targets > 0, found, 1 - found)
        self.total -= of_truth.clamp(EPS, 1 - EPS).log().sum()
        self.count += of_truth.numel()

    def compute(self) -> Tensor:
        """The loss in nats."""
        return self.total / self.count


class BalancedAccuracy(Sums):
    """The share of each class's samples for which it is predicted, averaged over the classes that occur in targets.

    Torchmetrics' macro accuracy counts a class that is predicted but occurs in no target as 0; scikit-learn does not.

    Args:
        classes: number of classes.

    Example:
        >>> accuracy = BalancedAccuracy(3)
        >>> accuracy.update(torch.eye(3)[[0, 2, 1]], torch.tensor([0, 0, 1]))
        >>> float(accuracy.compute())
        0.75
    """

    higher_is_better = True
    right: Tensor
    count: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_sum("right", classes)
        self.add_sum("count", classes)

    def update(self, outputs: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs"]) -> None:
        """Add the head's outputs, and class numbers."""
        true = targets.to(self.count.device).long()
        right = (outputs.argmax(dim=1) == targets).to(self.count.device).double()
        self.right.index_add_(0, true, right)
        self.count.index_add_(0, true, torch.ones_like(right))

    def compute(self) -> Tensor:
        """The mean over classes."""
        return (self.right / self.count)[self.count > 0].mean()


class MeanAveragePrecision(Metric):
    """The average precision of each label (the area under its precision-recall curve), averaged over the labels.

    Labels that no sample has are ignored; if all are, the result is 0.

    Example:
        >>> precision = MeanAveragePrecision()
        >>> precision.update(torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3]]), torch.tensor([[0, 0], [1, 0], [0, 0]]))
        >>> float(precision.compute())
        0.5
    """

    full_state_update = False
    higher_is_better = True
    outputs: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("outputs", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, outputs: Float[Tensor, "graphs labels"], targets: Shaped[Tensor, "graphs labels"]) -> None:
        """Add the head's outputs, or anything that ranks samples alike, and 1 for every label that a sample has."""
        self.outputs.append(outputs.detach().float())
        self.targets.append(targets > 0)

    def compute(self) -> Tensor:
        """The mean over the labels that occur."""
        outputs, targets = dim_zero_cat(self.outputs).double().sigmoid(), dim_zero_cat(self.targets)
        occur = targets.any(dim=0).nonzero().flatten().tolist()
        each = [binary_average_precision(outputs[:, label], targets[:, label].long()) for label in occur]
        return torch.stack(each).mean() if each else outputs.new_zeros(())
