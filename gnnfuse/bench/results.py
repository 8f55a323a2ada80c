"""Rows of a benchmark, their summary over seeds, and the file that stores them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev

from gnnfuse.fusion import Family
from gnnfuse.sample.whole_file import write_whole
from gnnfuse.workflow.brief_metrics import spelt


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run of one model with one seed.

    Args:
        model: name of the model.
        family: family of the model.
        seed: seed of weights, order and dropout.
        test: metrics on the test split.
        other_tests: metrics on further test splits.
        groups: test split -> value of the reported group -> mean score (`Results.sample_metric`).
        valid: validation metrics of the epoch that was kept.
        parameters: trainable parameters, including encoders and head.
        train_seconds: wall-clock time of training with its validations.
        samples_per_second: test samples collated and passed forward per second.
        peak_memory_mb: peak memory that training added; None if it cannot be measured.
        epochs: epochs begun.
        best_epoch: the one whose weights were kept, from 0.
        stopped: what ended training: "epochs", "patience" or "seconds".
        history: logged values per epoch.
    """

    model: str
    family: Family
    seed: int
    test: Mapping[str, float]
    other_tests: Mapping[str, Mapping[str, float]]
    groups: Mapping[str, Mapping[str, float]]
    valid: Mapping[str, float]
    parameters: int
    train_seconds: float
    samples_per_second: float
    peak_memory_mb: float | None
    epochs: int
    best_epoch: int
    stopped: str
    history: Sequence[Mapping[str, float]]


@dataclass
class Results:
    """Everything a benchmark found; rows are added as runs end.

    Args:
        task: name of the task.
        splits: samples per split.
        environment: machine, versions, commit.
        budget: the limits of every run.
        ceilings: as `Dataset.ceilings`.
        source: origin of the data.
        caveat: what a report must state beside the numbers.
        group: attribute by which reports group samples: "operation", "language".
        metric: the metric that selects epochs and that reports compare models by.
        higher_is_better: whether a larger value of it is better.
        sample_metric: the metric of the scores by group.
        dropped: node type -> nodes that `max_nodes` removed from the training and validation samples read.
        rows: the runs.
    """

    task: str
    splits: Mapping[str, int]
    environment: Mapping[str, object]
    budget: Mapping[str, object]
    ceilings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""
    caveat: str = ""
    group: str = "group"
    metric: str = "accuracy"
    higher_is_better: bool = True
    sample_metric: str = "accuracy"
    dropped: Mapping[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        write_whole(path, (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode())

    def models(self) -> list[str]:
        """The models, in the order of their runs."""
        return list(dict.fromkeys(row.model for row in self.rows))

    def of(self, model: str) -> list[Row]:
        """A model's rows."""
        return [row for row in self.rows if row.model == model]

    def scores(self, model: str, split: str | None = None) -> list[float]:
        """A model's metric by seed, on the test split or a further one."""
        return [(row.test if split is None else row.other_tests[split])[self.metric] for row in self.of(model)]

    def score(self, model: str) -> float:
        """The mean of `scores` on the test split."""
        return mean(self.scores(model))

    def best(self, models: Sequence[str]) -> str:
        """The model whose mean on the test split is best."""
        choose = max if self.higher_is_better else min
        return choose(models, key=self.score)

    def other_tests(self) -> list[str]:
        """Names of the further test splits."""
        return list(dict.fromkeys(name for row in self.rows for name in row.other_tests))

    def by_group(self, model: str, split: str = "test") -> dict[str, float]:
        """Mean score over seeds per value of the reported group."""
        rows = self.of(model)
        return {value: mean(row.groups[split][value] for row in rows) for value in rows[0].groups.get(split, {})}


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over seeds; the latter None for one seed."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread":
        """The spread of several numbers."""
        return cls(mean(numbers), stdev(numbers) if len(numbers) > 1 else None)

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.deviation is None else f"{self.mean:.3f} ± {self.deviation:.3f}"


def is_results(path: Path) -> bool:
    """Whether `Results.write` wrote a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"task", "budget", "rows"} <= found.keys()


RESULTS = "results.json"
PLOTS = ("scores.png", "curves.png", "speed.png", "groups.png")
COLUMNS = ("model", "family", "parameters", "train s", "samples/s", "peak MB", "epochs")


def columns(results: Results) -> list[str]:
    """Headings of the summary table."""
    scores = [f"{split} {spelt(results.metric)}" for split in ("test", *results.other_tests())]
    return [*COLUMNS[:2], *scores, *COLUMNS[2:]]


def summary(results: Results, model: str) -> list[str]:
    """A model's line of the summary table, over its seeds."""
    rows = results.of(model)
    memory = [row.peak_memory_mb for row in rows if row.peak_memory_mb is not None]
    epochs = "/".join(str(row.epochs) for row in rows)
    cut = " (time)" if any(row.stopped == "seconds" for row in rows) else ""
    return [
        model,
        rows[0].family,
        *(str(Spread.of(results.scores(model, split))) for split in (None, *results.other_tests())),
        f"{rows[0].parameters:,}",
        f"{mean(row.train_seconds for row in rows):.1f}",
        f"{mean(row.samples_per_second for row in rows):,.0f}",
        f"{max(memory):.0f}" if memory else "-",
        epochs + cut,
    ]
