"""How a table's targets are encoded, learnt and drawn: one class for each kind of target."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor

from gnnfuse.graph import TargetEncoding
from gnnfuse.sample import Sample
from gnnfuse.tables import TableTarget
from gnnfuse.tasks import Prediction, TargetObjective, Task

Made = TypeVar("Made", bound=Task)


class TargetTask(ABC, Generic[Made]):
    """The task for one kind of a table's target.

    Attributes:
        make: the class of the task: called with model, builder, `dropout` and `objectives`.
        plot: file name of the plot of predictions against targets.
        shows: what the plot shows, in words.
        certain: what `certainties` gives the probabilities of, in words; None if there are no probabilities.
    """

    make: Callable[..., Made]
    plot: str
    shows: str
    certain: str | None = None

    @abstractmethod
    def encoding(self, target: TableTarget, train: Iterable[Sample], counts: Mapping[str, int]) -> TargetEncoding:
        """How targets are turned into tensors.

        Args:
            target: how they are read.
            train: training samples.
            counts: class or label -> training rows.

        Raises:
            ValueError: a target is not of this kind, or no training sample has one.
        """

    def notes(self, encoding: Any, columns: Sequence[str]) -> list[str]:
        """What is worth knowing about the encoding of the target's columns, in a line each; nothing by default."""
        return []

    @abstractmethod
    def objective(self, weights: tuple[float, ...] | None) -> TargetObjective:
        """The loss of a sample's prediction, with class weights if there are any."""

    def weights(self, counts: Mapping[str, int], classes: Sequence[str], rows: int) -> tuple[float, ...] | None:
        """Weights for classes of unequal size over `rows` training rows; None by default: there are no classes."""
        return None

    def covering(self, task: Made, outputs: Tensor, targets: Tensor) -> Mapping[str, object]:
        """Arguments of the task by which predictions state what covers the truth; none by default.

        Args:
            task: gives answers for outputs.
            outputs: `[rows, outputs]`, of rows that the model was not trained on.
            targets: of these rows, encoded.

        Raises:
            ValueError: too few rows.
        """
        return {}

    def certainties(
        self, task: Made, targets: Sequence[Any], predictions: Sequence[Prediction]
    ) -> tuple[Sequence[float], Sequence[bool]]:
        """The probabilities whose reliability is drawn, and whether each came true; none by default."""
        return (), ()

    @abstractmethod
    def draw(
        self, task: Made, columns: Sequence[str], targets: Sequence[Any], labels: Sequence[Any], split: str, path: Path
    ) -> frozenset[str]:
        """Draw predictions against targets.

        Args:
            task: the task, fitted.
            columns: the target's columns.
            targets: the samples' targets.
            labels: the predictions for them.
            split: the split of the samples.
            path: the file to write.

        Returns:
            Letters that no installed font has.
        """
