"""A training run in the terminal: a bar over the steps of an epoch, a line after each epoch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import lightning
from lightning.pytorch.callbacks import Callback

from gnnfuse.graph import GraphBatch
from gnnfuse.workflow.brief_metrics import brief, spelt

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class TrainingWatch(Callback):
    """Follows a training run.

    Args:
        make_progress: makes the bar that this object starts and stops.
        says: prints the line after each epoch.
        epochs: number of epochs.
    """

    def __init__(self, make_progress: "Callable[[], Progress]", says: Callable[[str], None], epochs: int) -> None:
        self.make_progress, self.says, self.epochs = make_progress, says, epochs
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._samples = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the bar, in the first process."""
        if not trainer.is_global_zero:
            return
        self._progress = self.make_progress()
        total = float(trainer.num_training_batches)
        self._bar = self._progress.add_task("training", total=total, note="")
        self._progress.start()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Reset the bar."""
        if self._progress is not None and self._bar is not None:
            self._samples = 0
            epoch = f"epoch {trainer.current_epoch + 1}/{self.epochs}"
            self._progress.reset(self._bar, description=epoch, total=float(trainer.num_training_batches))

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: GraphBatch,
        number: int,
    ) -> None:
        """Advance the bar."""
        if self._progress is not None and self._bar is not None:
            self._samples += len(batch)
            elapsed = self._progress.tasks[0].elapsed or 0.0
            rate = f"{self._samples / elapsed:,.0f} samples/s" if elapsed > 0 else ""
            self._progress.update(self._bar, completed=number + 1, note=rate)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Print losses and validation metrics."""
        if self._progress is None:
            return
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        metrics = "  ".join(
            f"{spelt(name.removeprefix('valid_'))} {value:.4{'g' if '.' in name else 'f'}}"
            for name, value in brief(found).items()
            if name.startswith("valid_") and name != "valid_loss"
        )
        line = f"epoch {trainer.current_epoch + 1:>3}  training loss {found['train_loss']:.4f}  "
        self.says(f"{line}validation loss {found['valid_loss']:.4f}  {metrics}")

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()
