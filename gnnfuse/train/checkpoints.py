"""When checkpoints are written, and how Ctrl-C and termination signals are handled."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Checkpoint

from gnnfuse.graph import GraphBatch
from gnnfuse.reading.worker import SIGNALS
from gnnfuse.train.checkpoint_files import next_path, tidy
from gnnfuse.train.lightning_task import LightningTask
from gnnfuse.train.processes import highest

DUE = 0.5  # below every signal number


class Checkpoints(Checkpoint):
    """Writes a checkpoint at the end of every epoch, at intervals within it, and before a signal ends the run.

    SIGINT (Ctrl-C), SIGTERM (sent by SLURM before it reclaims a machine) and SIGHUP (the terminal was closed) are
    handled after the step in which they arrive: a checkpoint is written, then KeyboardInterrupt, or SystemExit(128 +
    the signal's number), is raised. In the last step of an epoch the validation runs first. A second signal of the
    same kind is handled at once, without a checkpoint.

    Args:
        folder: where; created if missing.
        every_seconds: time between checkpoints within an epoch; None for none.
        clock: gives seconds.
    """

    def __init__(
        self, folder: Path, every_seconds: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self.every_seconds = every_seconds
        self._clock = clock
        self._written = 0.0
        self._asked = 0  # number of the signal received

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Install signal handlers; Lightning restores the earlier ones."""
        self._written = self._clock()
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            tidy(self.folder)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    signal.signal(number, self._listen)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: GraphBatch,
        batch_idx: int,
    ) -> None:
        """Only between two steps: a checkpoint holds no partly accumulated gradient.

        After the last step of an epoch, validation is still to come and writes the checkpoint.
        """
        assert isinstance(pl_module, LightningTask)
        over = batch_idx + 1 == len(pl_module.train_batches)
        if (batch_idx + 1) % pl_module.config.accumulate or over or trainer.should_stop:
            return
        due = self.every_seconds is not None and self._clock() - self._written >= self.every_seconds
        wanted = highest(max(self._asked, DUE * due), pl_module.device)  # one process's signal counts for all
        if wanted:
            self._write(trainer)
        self._leave(int(wanted))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """After every epoch."""
        self._write(trainer)
        self._leave(int(highest(self._asked, pl_module.device)))

    def _write(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(next_path(self.folder))
        self._written = self._clock()

    def _listen(self, number: int, frame: FrameType | None) -> None:
        if self._asked == number:
            self._leave(number)
        self._asked = number

    def _leave(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number in SIGNALS:
            raise SystemExit(128 + number)
