"""Members that are trained: fusion models of the catalogue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gnnfuse.graph import SampleGraph
from gnnfuse.reading import UsableSamples
from gnnfuse.sample import Sample
from gnnfuse.tasks import Task
from gnnfuse.train import FitConfig, FitReport, fit_task
from gnnfuse.workflow.members.member import Member

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


@dataclass(eq=False, kw_only=True)
class NeuralMember(Member):
    """A fusion model, trained anew for each fit; a killed fit continues from its checkpoints.

    Args:
        name: names the member.
        make: gives a new, untrained task.
        samples: the rows' samples, if they change at random in training, or else their graphs.
        held_out: the rows on whose loss the epoch is chosen; None trains to the end.
        config: how it is trained; each fit has a folder of its own in `config.out`.
        watch: gives the callbacks of a fit, given its name.

    Attributes:
        reports: what happened in each fit, by its name.
    """

    name: str
    make: Callable[[], Task]
    samples: UsableSamples | Sequence[SampleGraph]
    held_out: Sequence[SampleGraph] | None
    config: FitConfig
    watch: Callable[[str], "Sequence[Callback]"]

    def __post_init__(self) -> None:
        self.reports: dict[str, FitReport] = {}

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Train a task on these rows."""
        assert self.config.out is not None
        folder = Path(self.config.out) / self.name.replace(":", "-") / run.replace(" ", "-")
        task, config = self.make(), replace(self.config, out=folder)
        self.reports[run] = fit_task(task, self._of(rows), self.held_out, config, callbacks=self.watch(run))
        return task

    def _of(self, rows: Sequence[int]) -> Sequence[Sample] | Sequence[SampleGraph]:
        if isinstance(self.samples, UsableSamples):  # read again in every epoch, not held in memory
            return replace(self.samples, places=self.samples.places[list(rows)])
        return [self.samples[row] for row in rows]
