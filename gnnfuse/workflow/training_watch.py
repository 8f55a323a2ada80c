"""Training as an observer receives it: counted steps in each epoch, a message after it."""

from contextlib import ExitStack
from time import monotonic
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from gnnfuse.graph import GraphBatch
from gnnfuse.observer import Observer
from gnnfuse.workflow.brief_metrics import brief, spelt


class TrainingWatch(Callback):
    """Passes the progress of training on, in the first process.

    Args:
        observer: receives it.
        epochs: number of epochs.
        run: what is trained, if it is one of several runs: the observer then receives no message after an epoch.
        metric: the metric that is shown beside the epochs of such a run.
    """

    def __init__(self, observer: Observer, epochs: int, *, run: str = "", metric: str = "") -> None:
        self.observer, self.epochs, self.run, self.metric = observer, epochs, run, metric
        self._latest = ""
        self._counting = ExitStack()
        self._began, self._samples = monotonic(), 0
        self._advance = self._counting.enter_context(Observer().begins(""))  # an epoch that is resumed has no start

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to count steps."""
        if not trainer.is_global_zero:
            return
        steps, self._began, self._samples = trainer.num_training_batches, monotonic(), 0
        what = f"{self.run and f'{self.run}, '}epoch {trainer.current_epoch + 1}/{self.epochs}{self._latest}"
        counted = self.observer.begins(what, int(steps) if steps < float("inf") else None)
        self._advance = self._counting.enter_context(counted)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: GraphBatch, _: int
    ) -> None:
        """Count a step."""
        if trainer.is_global_zero:
            self._samples += len(batch)
            self._advance(note=f"{self._samples / max(monotonic() - self._began, 1e-9):,.0f} samples/s")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report the losses and validation metrics."""
        self._counting.close()
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.run:
            name = f"valid_{self.metric}"
            self._latest = f", valid {found[name]:.3f}" if name in found else ""
        elif trainer.is_global_zero:
            self.observer.says(line(trainer.current_epoch + 1, found))

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Stop counting."""
        self._counting.close()


def line(epoch: int, found: dict[str, float]) -> str:
    """The losses and metrics of an epoch.

    Example:
        >>> line(3, {"train_loss": 0.5, "valid_loss": 0.25, "valid_macro_f1": 0.75})
        'epoch   3  training loss 0.5000  validation loss 0.2500  macro f1 0.7500'
    """
    metrics = "  ".join(
        f"{spelt(name.removeprefix('valid_'))} {value:.4{'g' if '.' in name else 'f'}}"
        for name, value in brief(found).items()
        if name.startswith("valid_") and name != "valid_loss"
    )
    judged = f"  validation loss {found['valid_loss']:.4f}  {metrics}" if "valid_loss" in found else ""
    return f"epoch {epoch:>3}  training loss {found['train_loss']:.4f}{judged}"
