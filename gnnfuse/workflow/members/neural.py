"""Members that are trained: fusion models of the catalogue."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gnnfuse.devices import device_of
from gnnfuse.graph import SampleGraph
from gnnfuse.reading import UsableSamples
from gnnfuse.sample import Sample
from gnnfuse.tasks import Task
from gnnfuse.train import Batches, FitConfig, FitReport, fit_task
from gnnfuse.workflow.members.member import Member
from gnnfuse.workflow.members.way_around import with_way_around

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

STEPS = 3  # of a trial; the first compiles kernels
STARTING = 1.0  # seconds that a fit needs besides its steps


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
        around: fits the linear task that the model learns to add to (`with_way_around`); None for none.

    Attributes:
        reports: what happened in each fit, by its name.
    """

    name: str
    make: Callable[[], Task]
    samples: UsableSamples | Sequence[SampleGraph]
    held_out: Sequence[SampleGraph] | None
    config: FitConfig
    watch: Callable[[str], "Sequence[Callback]"]
    around: Member | None = None

    def __post_init__(self) -> None:
        self.reports: dict[str, FitReport] = {}

    def seconds(self, rows: Sequence[int]) -> float:
        """About how long one fit on these rows takes, from a few steps on a task that is thrown away."""
        task, config = self.make(), self.config
        task.to(device_of(config.device)).train()
        taken, started = [], time.perf_counter()
        with closing(Batches(task.builder, self._of(rows), config, training=True)) as batches:
            for batch in islice(batches, STEPS):
                losses = task.losses(task.step(batch.to(task.device)))
                torch.autograd.backward(list(losses.values()))
                taken.append(time.perf_counter() - started)
                started = time.perf_counter()
        return STARTING + min(taken) * len(batches) * config.epochs

    def fit(self, rows: Sequence[int], run: str) -> Task:
        """Train a task on these rows."""
        assert self.config.out is not None
        folder = Path(self.config.out) / self.name.replace(":", "-") / run.replace(" ", "-")
        task, config = self.make(), replace(self.config, out=folder)
        if self.around is not None:
            task = with_way_around(task, self.around.fit(rows, run))
        self.reports[run] = fit_task(task, self._of(rows), self.held_out, config, callbacks=self.watch(run))
        return task

    def _of(self, rows: Sequence[int]) -> Sequence[Sample] | Sequence[SampleGraph]:
        if isinstance(self.samples, UsableSamples):  # read again in every epoch, not held in memory
            return replace(self.samples, places=self.samples.places[list(rows)])
        return [self.samples[row] for row in rows]
