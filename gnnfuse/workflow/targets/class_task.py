"""Classes of a table as a task."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gnnfuse.graph import ClassTarget
from gnnfuse.sample import Sample
from gnnfuse.sample.class_name import in_order
from gnnfuse.tables import TableTarget
from gnnfuse.tasks import Classification, CrossEntropy, Prediction, balanced_weights
from gnnfuse.workflow.targets.target_task import TargetTask

SMOOTHING = 0.1
WEIGHT_POWER = 0.5  # halfway between sample accuracy and class accuracy


class ClassTask(TargetTask[Classification]):
    """One class out of several, by cross-entropy; a confusion matrix."""

    make = Classification
    plot = "confusion.png"
    shows = "Targets and predictions"
    certain = "the most probable class"

    def encoding(self, target: TableTarget, train: Iterable[Sample], counts: Mapping[str, int]) -> ClassTarget:
        """The classes of training rows, in order."""
        return ClassTarget(in_order(counts))

    def objective(self, weights: tuple[float, ...] | None) -> CrossEntropy:
        """Cross-entropy with smoothed labels."""
        return CrossEntropy(label_smoothing=SMOOTHING, class_weights=weights)

    def weights(self, counts: Mapping[str, int], classes: Sequence[str], rows: int) -> tuple[float, ...]:
        """The square root of how much rarer each class is."""
        return balanced_weights(counts, classes, power=WEIGHT_POWER)

    def certainties(
        self, task: Classification, targets: Sequence[str], predictions: Sequence[Prediction]
    ) -> tuple[list[float], list[bool]]:
        """The most probable class of each sample."""
        best = [max(each.scores.items(), key=lambda item: item[1]) for each in predictions]
        return [score for _, score in best], [name == target for (name, _), target in zip(best, targets, strict=True)]

    def draw(
        self,
        task: Classification,
        columns: Sequence[str],
        targets: Sequence[str],
        labels: Sequence[str],
        split: str,
        path: Path,
    ) -> frozenset[str]:
        """Counts of samples by target and predicted class."""
        from gnnfuse.workflow.plots import draw_confusion

        return draw_confusion(targets, labels, task.classes, path)
