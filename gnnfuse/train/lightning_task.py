"""The thin layer between a task and Lightning: step, optimiser, schedule."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.tasks import BatchObjective, Step, Task
from gnnfuse.train.batches import Batches
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.frozen import frozen_names
from gnnfuse.train.gathered import gathered
from gnnfuse.train.mean_loss import MeanLoss
from gnnfuse.train.parameter_groups import parameter_groups
from gnnfuse.train.processes import every_process, highest
from gnnfuse.train.random_states import random_states, seed_all, set_random_states
from gnnfuse.train.without_others import without_others


class LightningTask(lightning.LightningModule):
    """Trains a task; logs `train_loss`, `valid_loss` and the validation metrics as `valid_<metric>`.

    Logged losses are those of the task's judge (`Task.judge`), in training and validation.

    With a logger, each step's loss and learning rate are also logged, as `step_loss` and `learning_rate`.

    Args:
        task: what to train.
        config: how to train.
        train: its training batches.
        valid: its validation batches; None for training without validation.
        terms: the terms that a run must match to continue from this one's checkpoints (`terms_of`).
        clock: gives seconds, for the time limit.

    Attributes:
        samples: training samples seen in whole epochs, over all processes.
        spent: seconds used before the run was resumed.
    """

    def __init__(
        self,
        task: Task,
        config: FitConfig,
        train: Batches,
        valid: Batches | None,
        *,
        terms: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.train_batches = train
        self.valid_batches = valid
        self.valid_metrics = task.metrics()
        self.samples = 0
        self._train_loss, self._valid_loss, self._step_loss = MeanLoss(), MeanLoss(), MeanLoss()
        self._clock = clock
        self._started: float | None = None
        self.spent = 0.0
        self.terms = dict(terms or {})
        self._parts: list[tuple[Step | None, Tensor | None]] = []  # of the current step
        self._monitored = False
        self._random: dict[str, Tensor] | None = None  # random states to restore at the first batch

    def setup(self, stage: str) -> None:
        """Give the batches the rank of this process."""
        for batches in (self.train_batches, self.valid_batches):
            if batches is not None:
                batches.for_process(self.global_rank, self.trainer.world_size)

    def on_fit_start(self) -> None:
        """Start the clock; processes of one run draw different random numbers."""
        self._started = self._clock()
        if self._random is None and self.global_rank:
            seed_all(self.config.seed, self.global_rank)

    def on_train_epoch_start(self) -> None:
        """Give the batches the epoch; not called in an epoch resumed from a checkpoint."""
        self.train_batches.set_epoch(self.current_epoch)

    def restore_random(self) -> None:
        """Restore the random states of a checkpoint, once: draws made during setup do not count."""
        if self._random is not None:
            set_random_states(self._random, self.device)
            self._random = None

    def training_step(self, batch: GraphBatch, number: int) -> Tensor:
        """The summed losses of a batch, weighted so that every sample of the step counts equally.

        With objectives over the whole batch, all losses of a step are computed at its last part.

        Raises:
            FloatingPointError: a loss is NaN or infinite.
            ValueError: the task's metrics lack the one that it monitors.
        """
        step, loss = None, None
        if len(batch):
            step = self.task.step(batch, draw=(self.config.seed, self.current_epoch))
            losses = self.task.losses(step, whole=False)
            self._check_finite(losses, batch, number)
            self._check_monitor(step)
            judged = self._judged(step)
            for mean in (self._train_loss, self._step_loss):
                mean.add(judged, len(batch))
            weight = self.train_batches.weight(number)
            loss = torch.stack([*losses.values()]).sum() if losses else None
            loss = loss if loss is None or weight == 1.0 else loss * weight
        if not any(isinstance(objective, BatchObjective) for objective in self.task.objectives):
            if loss is None or self.task.of is not None:  # such a task does not need all outputs of the model
                return self._nothing() if loss is None else loss + self._nothing()
            return loss
        self._parts.append((step, loss))
        if (number + 1) % self.config.accumulate:
            return self._nothing()
        return self._of_whole_step(batch, number)

    def _of_whole_step(self, batch: GraphBatch, number: int) -> Tensor:
        """The losses of all parts of a step that has just ended, and of the objectives over the step as one batch."""
        steps = [step for step, _ in self._parts if step is not None]
        values = [loss for _, loss in self._parts if loss is not None]
        self._parts.clear()
        found = gathered(steps, self.device)
        if found is not None:
            asked = [objective for objective in self.task.objectives if isinstance(objective, BatchObjective)]
            whole = {each.name: each.loss(*found) * each.weight for each in asked}
            self._check_finite(whole, batch, number)
            values += [value * self.config.accumulate for value in whole.values()]  # as losses of parts are averaged
        return torch.stack([*values, self._nothing()]).sum()

    def _check_finite(self, losses: Mapping[str, Tensor], batch: GraphBatch, number: int) -> None:
        if not losses or bool(torch.isfinite(torch.stack([*losses.values()]).sum())):
            return
        shown = ", ".join(f"{name}={float(value.detach()):g}" for name, value in losses.items())
        raise FloatingPointError(
            f"epoch {self.current_epoch}, step {number}: {shown}; samples {', '.join(batch.ids[:4])}, ..."
        )

    @torch.no_grad()
    def _check_monitor(self, step: Step) -> None:
        """Refuse an unknown monitor at the first batch: only computed metrics have all their names."""
        if self._monitored:
            return
        metrics = without_others(self.task.metrics().to(step.outputs.device))
        metrics.update(*self.task.measured(step.outputs, step.target))
        found = metrics.compute()
        if self.task.monitor not in found:
            kind = type(self.task).__name__
            raise ValueError(f"{kind} monitors {self.task.monitor!r}, but its metrics are {', '.join(found)}")
        self._monitored = True

    def on_train_batch_end(self, outputs: Any, batch: GraphBatch, number: int) -> None:
        """Log the step that this batch completes, and the training loss if no validation does so after the epoch."""
        over = number == len(self.train_batches) - 1 or self.trainer.should_stop
        if self.valid_batches is None and over:
            self.log("train_loss", self._end_of_epoch(), on_step=True, on_epoch=False)
        if (number + 1) % self.config.accumulate:
            return
        if self.trainer.loggers:
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            self.log_dict({"step_loss": self._step_loss.over_all(self.device), "learning_rate": rate})
        self._step_loss.reset()

    def validation_step(self, batch: GraphBatch, number: int) -> None:
        """Update the validation metrics."""
        if not len(batch):
            return
        step = self.task.step(batch, draw=None)
        self.valid_metrics.update(*self.task.measured(step.outputs, step.target))
        self._valid_loss.add(self._judged(step), len(batch))

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's losses and validation metrics over all processes, and reset them.

        Raises:
            ValueError: the monitored metric is NaN because of the validation samples (`Task.nan_means`).
        """
        measured = self.valid_metrics.compute()
        monitor, cause = self.task.monitor, self.task.nan_means
        if cause is not None and bool(torch.as_tensor(measured[monitor]).isnan()):
            raise ValueError(f"validation samples: found {cause}, expected some: {monitor!r} is undefined without them")
        found = {f"valid_{name}": value for name, value in measured.items()}
        losses = {"train_loss": self._end_of_epoch(), "valid_loss": self._valid_loss.over_all(self.device)}
        self.log_dict(losses | found)
        self.valid_metrics.reset()
        self._valid_loss.reset()

    def _end_of_epoch(self) -> float:
        """The epoch's training loss over all processes; its samples are counted."""
        self.samples += self._train_loss.count_over_all(self.device)
        loss = self._train_loss.over_all(self.device)
        self._train_loss.reset()
        return loss

    def transfer_batch_to_device(self, batch: GraphBatch, device: torch.device, dataloader_idx: int) -> GraphBatch:
        """Move a batch."""
        return batch.to(device, non_blocking=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with warm-up and a cosine schedule over the run."""
        groups = parameter_groups(self.task, self.config.learning_rate, self.config.weight_decay)
        optimizer = torch.optim.AdamW(groups, fused=self._one_kernel())
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: self._rate(self.fraction()))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _one_kernel(self) -> bool:
        """Whether a fused optimiser is used: under autocast Lightning cannot clip gradients for one."""
        device = self.task.device.type
        return device in ("cpu", "cuda") and self.config.precision == "32-true"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not keep: time used, and random states and partial loss sums of every process.

        Frozen parameters are left out: a resuming run must have the same ones, as the terms require.
        """
        for name in frozen_names(self):
            del checkpoint["state_dict"][name]
        mine = {"random": random_states(self.device), "train_loss": self._train_loss.state()}
        checkpoint["terms"] = self.terms
        checkpoint["place"] = self.train_batches.state_dict()
        checkpoint["processes"] = every_process(mine)
        checkpoint["seconds"] = self.elapsed()
        checkpoint["samples"] = self.samples

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        ours = self.state_dict()
        checkpoint["state_dict"] |= {name: ours[name] for name in frozen_names(self)}
        self.train_batches.load_state_dict(checkpoint["place"])
        mine = checkpoint["processes"][self.global_rank]
        self._random = mine["random"]
        self._train_loss.load(mine["train_loss"])
        self.spent = checkpoint["seconds"]
        self.samples = checkpoint["samples"]

    def fraction(self) -> float:
        """The finished fraction of the run, by steps or by time, whichever is larger."""
        steps = len(self.train_batches.plan.step_sizes) * self.config.epochs
        by_steps = self.trainer.global_step / steps
        if self.config.seconds is None or self._started is None:
            return min(1.0, by_steps)
        by_time = highest(self.elapsed() / self.config.seconds, self.device)  # one rate for all processes
        return min(1.0, max(by_steps, by_time))

    def elapsed(self) -> float:
        """Seconds that the run took, including those before it was resumed."""
        return self.spent + (0.0 if self._started is None else self._clock() - self._started)

    @torch.no_grad()
    def _judged(self, step: Step) -> float:
        return float(self.task.judge(step))

    def _nothing(self) -> Tensor:
        """A zero that depends on every trainable parameter, because DDP's other processes wait for each gradient."""
        trainable = (parameter for parameter in self.task.parameters() if parameter.requires_grad)
        return torch.stack([parameter.flatten()[:0].sum().float() for parameter in trainable]).sum()

    def _rate(self, fraction: float) -> float:
        warmup = self.config.warmup
        if fraction < warmup:
            return max(fraction / warmup, 0.01)
        return 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))


@contextmanager
def compiled(task: Task, wanted: bool) -> Iterator[None]:
    """Run the task's fusion model compiled, for batches of all shapes; undone afterwards."""
    if not wanted:
        yield
        return
    task.model.compile(dynamic=True)
    try:
        yield
    finally:
        task.model.uncompile()
