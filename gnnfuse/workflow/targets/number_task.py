"""Numbers of a table as a task."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from gnnfuse.graph import LogTail, NumberTarget
from gnnfuse.sample import Sample
from gnnfuse.tables import TableTarget
from gnnfuse.tasks import Huber, Intervals, Regression
from gnnfuse.workflow.targets.target_task import TargetTask


class NumberTask(TargetTask[Regression]):
    """One number or several, by Huber's loss; plots predictions against targets."""

    make = Regression
    plot = "predictions.png"
    shows = "Predictions against targets"

    def encoding(self, target: TableTarget, train: Iterable[Sample], counts: Mapping[str, int]) -> NumberTarget:
        """As many numbers as the first training sample has, scaled, after a logarithm where they are skewed."""
        names = _names(target.columns, next(iter(train)).target)
        return NumberTarget.fit_robust(train, size=len(names) or 1, names=names)

    def notes(self, encoding: NumberTarget, columns: Sequence[str]) -> list[str]:
        """Which numbers are learnt as logarithms."""
        names = encoding.names or columns[:1]
        return [
            f"{name} is skewed: learnt as {_in_words(log, name)}; predictions are nearer the median than the mean"
            for name, log in zip(names, encoding.transforms, strict=False)
            if log is not None
        ]

    def objective(self, weights: tuple[float, ...] | None) -> Huber:
        """Huber's loss, which a few extreme targets do not dominate."""
        return Huber()

    def covering(self, task: Regression, outputs: Tensor, targets: Tensor) -> Mapping[str, object]:
        """Intervals that contain each number in nine of ten rows."""
        return {"intervals": Intervals.fit(outputs, targets)}

    def draw(
        self,
        task: Regression,
        columns: Sequence[str],
        targets: Sequence[object],
        labels: Sequence[object],
        split: str,
        path: Path,
    ) -> frozenset[str]:
        """A panel for each number."""
        from gnnfuse.workflow.plots import draw_scatter

        shape = (len(labels), task.target.size)
        true, predicted = (np.asarray(each, dtype=np.float64).reshape(shape) for each in (targets, labels))
        return draw_scatter(true, predicted, task.target.names or columns[:1], path)


def _names(columns: tuple[str, ...], target: object) -> tuple[str, ...]:
    """The names of several numbers: their columns, or their positions in the one column; none for a single number."""
    if not isinstance(target, tuple) or len(target) == 1:
        return ()
    return columns if len(columns) == len(target) else tuple(f"{columns[0]}[{n}]" for n in range(len(target)))


def _in_words(log: LogTail, name: str) -> str:
    """The formula.

    Example:
        >>> _in_words(LogTail(about=12.0, unit=350.0, reach=50.0), "price")
        'log(1 + x) with x = (price - 12) / 350'
    """
    if log.unit > 0:
        return f"log(1 + x) with x = ({name} - {log.about:.4g}) / {log.unit:.4g}"
    return f"-log(1 + x) with x = ({log.about:.4g} - {name}) / {-log.unit:.4g}"
