"""Labels of a table as a task."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from gnnfuse.graph import MultiLabelTarget
from gnnfuse.sample import Sample
from gnnfuse.sample.class_name import in_order
from gnnfuse.tables import TableTarget
from gnnfuse.tasks import BinaryCrossEntropy, LabelSets, MultiLabel, Prediction, positive_weights
from gnnfuse.workflow.targets.target_task import TargetTask

Labels = tuple[str, ...]


class LabelTask(TargetTask[MultiLabel]):
    """Any number of labels at once, by binary cross-entropy; plots the F1 of each."""

    make = MultiLabel
    plot = "labels.png"
    shows = "F1 of each label"
    certain = "a label"

    def encoding(self, target: TableTarget, train: Iterable[Sample], counts: Mapping[str, int]) -> MultiLabelTarget:
        """The labels given by the table's target, or those of training rows in order."""
        return MultiLabelTarget(target.labels or in_order(counts))

    def objective(self, weights: tuple[float, ...] | None) -> BinaryCrossEntropy:
        """Binary cross-entropy."""
        return BinaryCrossEntropy(class_weights=weights)

    def weights(self, counts: Mapping[str, int], classes: Sequence[str], rows: int) -> tuple[float, ...]:
        """The odds of not having each label."""
        return positive_weights(counts, classes, rows)

    def covering(self, task: MultiLabel, outputs: Tensor, targets: Tensor) -> Mapping[str, object]:
        """Label sets that contain all of a row's labels in nine of ten rows."""
        return {"label_set": LabelSets.fit(task.blendable(outputs), targets)}

    def certainties(
        self, task: MultiLabel, targets: Sequence[Labels], predictions: Sequence[Prediction]
    ) -> tuple[list[float], list[bool]]:
        """Every label of every sample."""
        true = [name in target for target in targets for name in task.classes]
        return [each.scores[name] for each in predictions for name in task.classes], true

    def draw(
        self,
        task: MultiLabel,
        columns: Sequence[str],
        targets: Sequence[Labels],
        labels: Sequence[Labels],
        split: str,
        path: Path,
    ) -> frozenset[str]:
        """F1 of each label."""
        from gnnfuse.workflow.plots import draw_labels

        counts = Counter(name for target in targets for name in target)
        return draw_labels(label_scores(targets, labels, task.classes), counts, split, path)


def label_scores(targets: Sequence[Labels], labels: Sequence[Labels], classes: Labels) -> dict[str, float]:
    """F1 of each label that occurs in targets or predictions; it is undefined for others.

    Example:
        >>> label_scores([("a",), ("a", "b")], [("a",), ("a",)], ("a", "b", "c"))
        {'a': 1.0, 'b': 0.0}
    """
    true, predicted = (Counter(name for names in each for name in set(names)) for each in (targets, labels))
    both = Counter(name for target, label in zip(targets, labels, strict=True) for name in {*target} & {*label})
    return {name: 2 * both[name] / (true[name] + predicted[name]) for name in classes if true[name] + predicted[name]}
