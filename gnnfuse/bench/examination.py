"""The one evaluation of a run on the test splits."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from gnnfuse.data import Dataset
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.tasks import Task
from gnnfuse.train.evaluate import evaluate


@dataclass(frozen=True)
class TestScores:
    """A run's scores on one test split.

    Args:
        metrics: by name.
        groups: mean score (`Task.score`) per value of the reported group.
        samples_per_second: of collating and forward pass.
    """

    __test__ = False  # pytest would take it for a test class by its name

    metrics: Mapping[str, float]
    groups: Mapping[str, float]
    samples_per_second: float


class Examination:
    """Holds the sealed test splits and lets every run evaluate once, after its training.

    Training code never receives this object, only the training and validation samples.

    Args:
        dataset: the data set with the test splits.
        builder: makes the graphs.
        group: the data set's group to report scores by.
        device: where to evaluate.
    """

    def __init__(self, dataset: Dataset, builder: GraphBuilder, *, group: str | None, device: str) -> None:
        self._dataset = dataset
        self._builder = builder
        self._group = group
        self._device = device
        self._graphs: dict[str, list[SampleGraph]] = {}

    def take(self, task: Task, run: str) -> dict[str, TestScores]:
        """Evaluate a fitted task on every test split.

        Args:
            task: a fitted task.
            run: name of the run.

        Raises:
            ValueError: this run was evaluated before.
        """
        scores = {}
        for name, held_out in self._dataset.tests.items():
            samples = held_out.open(run)
            if name not in self._graphs:
                self._graphs[name] = [self._builder.graph(sample) for sample in samples]
            found = evaluate(task, self._graphs[name], device=self._device)
            by_group = self._by_group(
                {
                    prediction.id: task.score(prediction, sample)
                    for prediction, sample in zip(found.predictions, samples, strict=True)
                }
                if self._group is not None
                else {}
            )
            scores[name] = TestScores(found.metrics, by_group, found.samples_per_second)
        return scores

    def _by_group(self, scores: Mapping[str, float]) -> dict[str, float]:
        if self._group is None:
            return {}
        values = self._dataset.groups[self._group]
        found: dict[str, list[float]] = defaultdict(list)
        for name, score in scores.items():
            found[values[name]].append(score)
        return {value: sum(marks) / len(marks) for value, marks in sorted(found.items())}
