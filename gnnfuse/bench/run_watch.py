"""One run of a benchmark in the terminal: a bar over its steps, with the latest validation metric."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from rich.progress import Progress, TaskID

from gnnfuse.graph import GraphBatch


class RunWatch(Callback):
    """Advances a bar with the steps.

    Args:
        progress: the progress display.
        bar: id of the bar in it.
        metric: the metric to show.
    """

    def __init__(self, progress: Progress, bar: TaskID, metric: str) -> None:
        self.metric = metric
        self.progress = progress
        self.bar = bar

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Set the bar's length."""
        self.progress.update(self.bar, total=float(trainer.estimated_stepping_batches))

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Advance the bar."""
        self.progress.update(self.bar, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the validation metric."""
        found = trainer.callback_metrics
        self.progress.update(self.bar, note=f"valid {float(found[f'valid_{self.metric}']):.3f}")
