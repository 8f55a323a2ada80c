"""Lightning callbacks: the best weights kept in memory, and a limit in seconds."""

import copy
import math
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.tasks import Task
from gnnfuse.train.lightning_task import LightningTask


class KeepBest(Callback):
    """Keeps the weights of the epoch with the best validation metric, and stops when it no longer improves.

    Args:
        monitor: name of the logged metric.
        higher_is_better: its direction.
        patience: epochs without improvement until training stops; None never stops.
    """

    def __init__(self, monitor: str, higher_is_better: bool, patience: int | None) -> None:
        self.monitor = monitor
        self.sign = 1.0 if higher_is_better else -1.0
        self.patience = patience
        self.epoch = 0
        self.samples = 0
        self.gave_up = False
        self.history: list[dict[str, float]] = []
        self._best = (-math.inf, -math.inf)
        self._improved = 0
        self._weights: dict[str, Tensor] | None = None

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Count the samples."""
        self.samples += len(batch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare this epoch (validated before this hook) with the best."""
        assert isinstance(pl_module, LightningTask)
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append({**found, "seconds": pl_module.elapsed()})
        score, epoch = (self.sign * found[self.monitor], -found["valid_loss"]), len(self.history) - 1
        if self._weights is None or score[0] > self._best[0]:
            self._improved = epoch
        if self._weights is None or score > self._best:  # of epochs with equal metrics, the one with the smaller loss
            self._best, self.epoch = score, epoch
            self._weights = copy.deepcopy(pl_module.task.state_dict())
        if self.patience is not None and epoch - self._improved >= self.patience:
            self.gave_up = trainer.should_stop = True

    def restore(self, task: Task) -> None:
        """Put the best weights back."""
        assert self._weights is not None, "at least one epoch ends before training does"
        task.load_state_dict(self._weights)


class TimeLimit(Callback):
    """Ends training, after a last validation, when the time is over.

    Args:
        seconds: the limit; None for none.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.reached = False

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Look at the clock."""
        assert isinstance(pl_module, LightningTask)
        if self.seconds is not None and pl_module.elapsed() >= self.seconds:
            self.reached = trainer.should_stop = True
