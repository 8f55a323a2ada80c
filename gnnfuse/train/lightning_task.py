"""The thin layer between a task and Lightning: step, optimiser, schedule."""

import math
import time
from collections.abc import Callable

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.tasks import Task
from gnnfuse.train.fit_config import FitConfig


class LightningTask(lightning.LightningModule):
    """Trains a task; logs `train_loss`, each loss by name, and the validation metrics as `valid_<metric>`.

    Args:
        task: what to train.
        config: how.
        clock: gives seconds; for the time limit.
    """

    def __init__(self, task: Task, config: FitConfig, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.valid_metrics = task.metrics()
        self._clock = clock
        self._started: float | None = None

    def on_fit_start(self) -> None:
        """Start the clock."""
        self._started = self._clock()

    def training_step(self, batch: GraphBatch, number: int) -> Tensor:
        """The summed losses of a batch.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        losses = self.task.losses(self.task(batch), self.task.target_of(batch))
        loss = torch.stack(list(losses.values())).sum()
        if not bool(torch.isfinite(loss)):
            shown = ", ".join(f"{name}={float(value.detach()):g}" for name, value in losses.items())
            raise FloatingPointError(
                f"epoch {self.current_epoch}, step {number}: {shown}; samples {', '.join(batch.ids[:4])}, ..."
            )
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: GraphBatch, number: int) -> None:
        """Update the validation metrics."""
        outputs, target = self.task(batch), self.task.target_of(batch)
        self.valid_metrics.update(*self.task.measured(outputs, target))
        loss = torch.stack(list(self.task.losses(outputs, target).values())).sum()
        self.log("valid_loss", loss, on_epoch=True, batch_size=len(batch))

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics and start them anew."""
        found = self.valid_metrics.compute()
        self.log_dict({f"valid_{name}": value for name, value in found.items()})
        self.valid_metrics.reset()

    def transfer_batch_to_device(self, batch: GraphBatch, device: torch.device, dataloader_idx: int) -> GraphBatch:
        """Move a batch."""
        return batch.to(device, non_blocking=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with warm-up and a cosine over the run."""
        config = self.config
        matrices, others = _by_decay(self.task)
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=config.learning_rate,
            fused=next(self.task.parameters()).device.type in ("cpu", "cuda"),  # one kernel for all parameters
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: self._rate(self.fraction()))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def fraction(self) -> float:
        """How much of the run is over, by steps or by time, whichever is more."""
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        by_steps = self.trainer.global_step / steps
        if self.config.seconds is None or self._started is None:
            return min(1.0, by_steps)
        return min(1.0, max(by_steps, self.elapsed() / self.config.seconds))

    def elapsed(self) -> float:
        """Seconds since the fit started."""
        return 0.0 if self._started is None else self._clock() - self._started

    def _rate(self, fraction: float) -> float:
        warmup = self.config.warmup
        if fraction < warmup:
            return max(fraction / warmup, 0.01)
        return 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))


def _by_decay(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices of linear and convolution layers decay; biases, norms, embeddings and relation terms do not."""
    decaying = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)}
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [p for p in parameters if id(p) in decaying], [p for p in parameters if id(p) not in decaying]
