"""Lightning's trainer, made from our configuration."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.lsf import LSFEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, Checkpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from gnnfuse.train.callbacks import Place
from gnnfuse.train.checkpoint_io import CheckpointFiles
from gnnfuse.train.checkpoints import Checkpoints
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.lightning_task import LightningTask
from gnnfuse.train.surroundings import environment_as_it_was


def make_trainer(config: FitConfig, device: torch.device, callbacks: Sequence[Callback]) -> lightning.Trainer:
    """A trainer for one run.

    Args:
        config: how to train.
        device: the device to train on.
        callbacks: in this order; progress bars and checkpoints are added.
    """
    plugins: list[Any] = [CheckpointFiles()]
    if SLURMEnvironment.detect():
        # Lightning would handle SIGUSR1 in the middle of a step and requeue the job; SLURM's --requeue does that, and
        # `Checkpoints` handles SIGTERM between two steps.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    chosen = [Place(), *callbacks]
    if config.progress:
        chosen.append(RichProgressBar(leave=False))
    if config.out is not None:
        chosen.append(Checkpoints(Path(config.out), config.every_seconds))
    return lightning.Trainer(
        accelerator=device.type,
        devices=config.devices if device.index is None else [device.index],
        num_nodes=config.num_nodes,
        strategy=config.strategy if config.processes > 1 else "auto",
        precision=config.precision,
        plugins=plugins,
        max_epochs=config.epochs,
        gradient_clip_val=config.clip,
        accumulate_grad_batches=config.accumulate,
        callbacks=chosen,
        logger=_loggers(config) or False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in chosen),
        enable_model_summary=False,
        enable_progress_bar=config.progress,
        num_sanity_val_steps=0,
        log_every_n_steps=LOG_EVERY,
        use_distributed_sampler=False,
    )


def check_launched(config: FitConfig) -> None:
    """Refuse to wait forever for machines that no launcher started.

    Raises:
        ValueError: several machines, and no address of the first.
    """
    known = TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or LSFEnvironment.detect()
    if config.num_nodes > 1 and not known and "MASTER_ADDR" not in os.environ:
        raise ValueError(
            f"found num_nodes={config.num_nodes} and no address of the first machine; start the command on every "
            "machine by torchrun or srun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )


LOG_EVERY = 10  # steps


def _loggers(config: FitConfig) -> list[Logger]:
    """CSV logs start a new folder at each resumption, so that no line is lost; TensorBoard logs share one folder."""
    if config.out is None:
        return []
    folder = Path(config.out) / "logs"
    made: dict[str, Logger] = {}
    if "csv" in config.logs:
        made["csv"] = CSVLogger(folder, name="csv")
    if "tensorboard" in config.logs:
        with environment_as_it_was():  # tensorboardX sets a variable when it is imported
            importlib.import_module("tensorboardX")
        made["tensorboard"] = TensorBoardLogger(folder, name="", version="tensorboard")
    return list(made.values())


class Handback(Callback):
    """Carries callback states from a forked training process to the process that called `fit_task`.

    A training process that was not forked called `fit_task` itself: nothing is carried.

    Args:
        path: file that carries the states.
        callbacks: whose states to carry.
    """

    def __init__(self, path: Path, callbacks: Sequence[Callback]) -> None:
        self.path = path
        self.callbacks = tuple(callbacks)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the states, in the training process."""
        assert isinstance(pl_module, LightningTask)
        if trainer.is_global_zero and isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
            states = [callback.state_dict() for callback in self.callbacks]
            torch.save({"callbacks": states, "samples": pl_module.samples, "spent": pl_module.spent}, self.path)

    def take(self, module: LightningTask) -> None:
        """Load the states, in the process that called `fit_task`."""
        if not self.path.exists():
            return
        found = torch.load(self.path, map_location=module.device, weights_only=True)
        for callback, state in zip(self.callbacks, found["callbacks"], strict=True):
            callback.load_state_dict(state)
        module.samples, module.spent = found["samples"], found["spent"]
