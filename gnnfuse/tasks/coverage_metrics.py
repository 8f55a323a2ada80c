"""Coverage and size of intervals and label sets; only `Task.metrics` imports this file, like `metrics`."""

from collections.abc import Callable, Sequence

from jaxtyping import Float, Float64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from gnnfuse.tasks.metrics import Sums


class IntervalCoverage(Sums):
    """The share of targets within their intervals and the mean width of these, for one number or each of several.

    Args:
        names: of the numbers.
        ends: predictions `[graphs, numbers]` -> both ends of the intervals.

    Example:
        >>> import torch
        >>> coverage = IntervalCoverage(("mass",), lambda numbers: (numbers - 1, numbers + 1))
        >>> coverage.update(torch.tensor([[1.0], [5.0]]), torch.tensor([[1.5], [9.0]]))
        >>> {name: float(value) for name, value in coverage.compute().items()}
        {'interval_coverage': 0.5, 'interval_width': 2.0}
    """

    covered: Tensor
    width: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str], ends: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.names, self.ends = tuple(names), ends
        self.add_sum("covered", len(self.names))
        self.add_sum("width", len(self.names))
        self.add_sum("count")

    def update(self, predictions: Float[Tensor, "graphs numbers"], targets: Float[Tensor, "graphs numbers"]) -> None:
        """Add predictions and targets, each number in its own unit."""
        low, high = (each.to(self.covered.device).double() for each in self.ends(predictions))
        true = targets.to(self.covered.device).double()
        self.covered += ((low <= true) & (true <= high)).double().sum(dim=0)
        self.width += (high - low).sum(dim=0)
        self.count += len(true)

    def compute(self) -> dict[str, Float64[Tensor, ""]]:
        """The shares and widths by name."""
        each = {"interval_coverage": self.covered / self.count, "interval_width": self.width / self.count}
        if len(self.names) == 1:
            return {what: values[0] for what, values in each.items()}
        return {
            f"{what}.{name}": value
            for what, values in each.items()
            for name, value in zip(self.names, values, strict=True)
        }


class LabelSetCoverage(Sums):
    """The share of samples whose label sets contain all that is true, and the mean size of the sets.

    Args:
        sets: outputs of the head -> which classes are in the set, a bool each.

    Example:
        >>> import torch
        >>> coverage = LabelSetCoverage(lambda outputs: outputs > 0.2)
        >>> coverage.update(torch.tensor([[0.7, 0.3], [0.9, 0.1]]), torch.tensor([1, 1]))
        >>> {name: float(value) for name, value in coverage.compute().items()}
        {'label_set_coverage': 0.5, 'label_set_size': 1.5}
    """

    covered: Tensor
    size: Tensor
    count: Tensor

    def __init__(self, sets: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.sets = sets
        for name in ("covered", "size", "count"):
            self.add_sum(name)

    def update(self, outputs: Float[Tensor, "graphs classes"], targets: Shaped[Tensor, "graphs *labels"]) -> None:
        """Add the head's outputs, and targets: class numbers, or 1 for every label that a sample has."""
        sets = self.sets(outputs).to(self.covered.device)
        true = targets.to(self.covered.device)
        true = one_hot(true.long(), sets.shape[1]) if true.ndim == 1 else true
        self.covered += (sets | (true == 0)).all(dim=1).double().sum()
        self.size += sets.double().sum()
        self.count += len(sets)

    def compute(self) -> dict[str, Float64[Tensor, ""]]:
        """The share and the size by name."""
        return {"label_set_coverage": self.covered / self.count, "label_set_size": self.size / self.count}
