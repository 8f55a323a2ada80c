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

    NaN is worse than every number. Frozen parameters are not kept, because they do not change.

    Args:
        monitor: name of the logged metric; None for training without validation, which keeps the last epoch.
        higher_is_better: whether larger values are better.
        patience: epochs without improvement until training stops; None never stops.
    """

    def __init__(self, monitor: str | None, higher_is_better: bool, patience: int | None) -> None:
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
        """A run that had stopped early does not continue when it is resumed."""
        trainer.should_stop = trainer.should_stop or self.gave_up

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare this epoch (validated before this hook) with the best."""
        assert isinstance(pl_module, LightningTask)
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name not in STEPS}
        self.history.append({**found, "seconds": pl_module.elapsed()})
        epoch = len(self.history) - 1
        score = (
            (float(epoch), 0.0)
            if self.monitor is None
            else (_or_worst(self.sign * found[self.monitor]), _or_worst(-found["valid_loss"]))
        )
        if self._weights is None or score[0] > self._best[0]:
            self._improved = epoch
        if self._weights is None or score > self._best:  # of epochs with equal metrics, the one with the smaller loss
            self._best, self.epoch = score, epoch
            self._weights = copy.deepcopy(trained_state(pl_module.task))
        if self.patience is not None and epoch - self._improved >= self.patience:
            self.gave_up = trainer.should_stop = True

    def restore(self, task: Task) -> None:
        """Restore the best weights."""
        assert self._weights is not None, "at least one epoch ends before training does"
        missing, unexpected = task.load_state_dict(self._weights, strict=False)
        assert not unexpected, unexpected
        assert set(missing) == frozen_names(task), missing

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "epoch": self.epoch,
            "gave_up": self.gave_up,
            "history": self.history,
            "best": list(self._best),
            "improved": self._improved,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.epoch, self.gave_up = state_dict["epoch"], state_dict["gave_up"]
        self.history, self._weights = list(state_dict["history"]), state_dict["weights"]
        self._best, self._improved = tuple(state_dict["best"]), state_dict["improved"]


def _or_worst(score: float) -> float:
    return -math.inf if math.isnan(score) else score


STEPS = ("step_loss", "learning_rate")  # logged per step, not per epoch


class TimeLimit(Callback):
    """Ends training, after a last validation, when the time limit is reached.

    Args:
        seconds: the limit; None for none.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.reached = False

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A run that had reached the limit does not continue when it is resumed."""
        trainer.should_stop = trainer.should_stop or self.reached

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Check the clock; all processes stop with the first."""
        assert isinstance(pl_module, LightningTask)
        if self.seconds is not None and highest(pl_module.elapsed(), pl_module.device) >= self.seconds:
            self.reached = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.reached = state_dict["reached"]


class Place(Callback):
    """Counts the batches that were trained on, and continues where a checkpoint was written.

    More batches may have been fetched. Must precede all other callbacks, so that they draw and keep values at the right
    position.
    """

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restore the random states of a run resumed between two epochs, before its first draws."""
        assert isinstance(pl_module, LightningTask)
        pl_module.restore_random()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: GraphBatch,
        batch_idx: int,
    ) -> None:
        """Restore the random states of a run resumed within an epoch."""
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
        """Count this batch."""
        assert isinstance(pl_module, LightningTask)
        pl_module.train_batches.done = batch_idx + 1
