"""Lightning callbacks: the best weights kept in memory, a time limit, the position in a run."""

import copy
import math
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.tasks import Task
from gnnfuse.train.frozen import frozen_names, trained_state
from gnnfuse.train.lightning_task import LightningTask
from gnnfuse.train.processes import highest


class KeepBest(Callback):
    """Keeps the weights of the epoch with the best validation metric or loss, and stops when it no longer improves.

    Frozen parameters are not kept: they are what they were.

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
        self.gave_up = False
        self.history: list[dict[str, float]] = []
        self._best = (-math.inf, -math.inf)
        self._improved = 0
        self._weights: dict[str, Tensor] | None = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A run that had given up does not go on when it is resumed."""
        trainer.should_stop = trainer.should_stop or self.gave_up

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare this epoch (validated before this hook) with the best."""
        assert isinstance(pl_module, LightningTask)
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name not in STEPS}
        self.history.append({**found, "seconds": pl_module.elapsed()})
        score, epoch = (self.sign * found[self.monitor], -found["valid_loss"]), len(self.history) - 1
        if self._weights is None or score[0] > self._best[0]:
            self._improved = epoch
        if self._weights is None or score > self._best:  # of epochs with equal metrics, the one with the smaller loss
            self._best, self.epoch = score, epoch
            self._weights = copy.deepcopy(trained_state(pl_module.task))
        if self.patience is not None and epoch - self._improved >= self.patience:
            self.gave_up = trainer.should_stop = True

    def restore(self, task: Task) -> None:
        """Put the best weights back."""
        assert self._weights is not None, "at least one epoch ends before training does"
        missing, unexpected = task.load_state_dict(self._weights, strict=False)
        assert not unexpected, unexpected
        assert set(missing) == frozen_names(task), missing

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "epoch": self.epoch,
            "gave_up": self.gave_up,
            "history": self.history,
            "best": list(self._best),
            "improved": self._improved,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.epoch, self.gave_up = state_dict["epoch"], state_dict["gave_up"]
        self.history, self._weights = list(state_dict["history"]), state_dict["weights"]
        self._best, self._improved = tuple(state_dict["best"]), state_dict["improved"]


STEPS = ("step_loss", "learning_rate")  # logged per step: no property of an epoch


class TimeLimit(Callback):
    """Ends training, after a last validation, when the time is over.

    Args:
        seconds: the limit; None for none.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.reached = False

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A run whose time was over does not go on when it is resumed."""
        trainer.should_stop = trainer.should_stop or self.reached

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Look at the clock; all processes stop with the first."""
        assert isinstance(pl_module, LightningTask)
        if self.seconds is not None and highest(pl_module.elapsed(), pl_module.device) >= self.seconds:
            self.reached = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.reached = state_dict["reached"]


class Place(Callback):
    """Counts the batches that were trained on, and goes on where a checkpoint was.

    Batches that were fetched may be more. Stands before all other callbacks, so that what they draw and keep is of the
    right place.
    """

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The first draws of a run that was resumed between two epochs come after this."""
        assert isinstance(pl_module, LightningTask)
        pl_module.restore_random()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: GraphBatch,
        batch_idx: int,
    ) -> None:
        """And of one that was resumed within an epoch."""
        assert isinstance(pl_module, LightningTask)
        pl_module.restore_random()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: GraphBatch,
        batch_idx: int,
    ) -> None:
        """This batch is done."""
        assert isinstance(pl_module, LightningTask)
        pl_module.train_batches.done = batch_idx + 1
