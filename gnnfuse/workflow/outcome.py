"""The results of `fit`, from which results.json, report.md and the model card are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gnnfuse.data import SampleStream
from gnnfuse.sample import Sample
from gnnfuse.tasks import Task
from gnnfuse.train import Evaluation, FitReport

OUT_OF_FOLD = "out_of_fold"
SPLITS = ("valid", OUT_OF_FOLD, "test")  # in the order of tables


@dataclass(frozen=True, eq=False, kw_only=True)
class MemberOutcome:
    """One member of a blend, alone.

    Args:
        name: its name.
        weight: its share of the blend; 0 if it was not chosen.
        metrics: split -> metric -> value.
        seconds: time of all its fits.
        failed: why it was left out; None if it was not.
    """

    name: str
    weight: float = 0.0
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    failed: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class FitOutcome:
    """The results of fitting a table's task or blend.

    Args:
        task: as it is saved.
        report: what happened in training; None if nothing was trained.
        measured: split -> metrics and predictions: "valid" or "out_of_fold" (each row predicted by fits that had not
            seen it), and "test" if there are test rows.
        samples: split -> its samples.
        members: of a blend, in the order in which they were asked for.
        blended: how members were chosen and judged, in words; empty without members.
    """

    task: Task
    report: FitReport | None
    measured: Mapping[str, Evaluation]
    samples: Mapping[str, Sequence[Sample] | SampleStream]
    members: Sequence[MemberOutcome] = ()
    blended: str = ""

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Split -> metric -> value."""
        return {split: dict(self.measured[split].metrics) for split in SPLITS if split in self.measured}

    @property
    def shown(self) -> str:
        """The split whose predictions are drawn."""
        return list(self.metrics)[-1]

    @property
    def held_out(self) -> str:
        """The split on which epochs and weights were chosen."""
        return next(iter(self.metrics))
