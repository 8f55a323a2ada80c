"""How a table's targets are encoded, learnt and drawn: one class for each kind of target."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from gnnfuse.graph import TargetEncoding
from gnnfuse.sample import Sample
from gnnfuse.tables import TableTarget
from gnnfuse.tasks import TargetObjective, Task

Made = TypeVar("Made", bound=Task)


class TargetTask(ABC, Generic[Made]):
    """What a table's task is, by its kind of target.

    Attributes:
        make: the class of the task: called with model, builder, `dropout` and `objectives`.
        plot: file name of the plot of predictions against targets.
        shows: what it shows, in words.
    """

    make: Callable[..., Made]
    plot: str
    shows: str

    @abstractmethod
    def encoding(self, target: TableTarget, train: Iterable[Sample], counts: Mapping[str, int]) -> TargetEncoding:
        """How targets become numbers.

        Args:
            target: how they are read.
            train: training samples.
            counts: class or label -> training rows.

        Raises:
            ValueError: a target that is none of this kind, or no training sample has one.
        """

    @abstractmethod
    def objective(self, weights: tuple[float, ...] | None) -> TargetObjective:
        """The loss of a sample's answer, with weights of the classes if there are any."""

    def weights(self, counts: Mapping[str, int], classes: Sequence[str], rows: int) -> tuple[float, ...] | None:
        """Weights of classes of unequal size, of `rows` training rows; None by default: there are no classes."""
        return None

    @abstractmethod
    def draw(
        self, task: Made, columns: Sequence[str], targets: Sequence[Any], labels: Sequence[Any], split: str, path: Path
    ) -> frozenset[str]:
        """Draw predictions against targets.

        Args:
            task: the task, fitted.
            columns: the target's columns.
            targets: of the samples.
            labels: what was predicted for them.
            split: which samples they are.
            path: the file to write.

        Returns:
            Letters that no font has.
        """
