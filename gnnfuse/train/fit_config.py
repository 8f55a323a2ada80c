"""The settings of a training run."""

import os
import re
from dataclasses import dataclass
from typing import Literal, get_args

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Strategy = Literal["auto", "ddp", "ddp_notebook"]
Log = Literal["csv", "tensorboard"]
Select = Literal["metric", "loss"]


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to train.

    The learning rate rises over the first `warmup` of the run and falls along a cosine to zero at its end. With a time
    limit, the run ends when `epochs` or `seconds` is reached, whichever is first, and the schedule follows it.

    A step learns from `batch_size` samples, however many devices and parts they are divided among: `devices`,
    `num_nodes` and `accumulate` change the time and memory of a step, not what it learns.

    Args:
        epochs: passes over the training samples.
        seconds: time limit; None for none. A run that reaches it depends on the machine's speed.
        batch_size: samples per step, over all devices and parts.
        learning_rate: peak rate of AdamW.
        weight_decay: of AdamW, on the weights of linear and convolution layers only.
        warmup: share of the run in which the learning rate rises.
        clip: largest gradient norm.
        select: "metric" keeps the epoch of the best validation metric, "loss" that of the smallest validation loss,
            which is less noisy with few validation samples.
        patience: epochs without improvement until training stops; None never stops early.
        seed: for everything random: order of samples, dropout, augmentation.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", "mps".
        precision: as Lightning names it: "32-true", "bf16-mixed", "16-mixed". Weights stay in 32 bits: in 16, the
            steps of a falling learning rate would round to zero.
        workers: loader processes of each device; 0 loads in the training process.
        augment: change training samples at random as their node types define.
        progress: show a progress bar.
        devices: devices (on a CPU: processes) of each machine. See `fit_task` for how processes are started.
        num_nodes: machines.
        strategy: as Lightning names it: "ddp" runs the script once per device, "ddp_notebook" forks this process,
            "auto" forks in a notebook and runs the script elsewhere.
        accumulate: parts in which each device computes its share of a step, one after another; more need less memory.
        compile: compile the fusion model by torch.compile for the run. Its kernels depend on the first shapes that it
            saw, so a resumed run agrees with an uninterrupted one only up to rounding.
        shuffle_buffer: samples that each loader process holds to draw the next sample of a stream from; a sequence is
            shuffled as a whole.
        out: folder for checkpoints and logs; None writes neither. `gnnfuse.fit` sets it to its own `out`/checkpoints.
        every_seconds: time between checkpoints within an epoch; None writes them only at the ends of epochs.
        logs: "csv" and "tensorboard", written under `out`/logs.
        resume: continue from the newest checkpoint in `out`, to the same end; without one, start from the beginning.

    Raises:
        ValueError: a value is out of range; the message names it.

    Example:
        >>> FitConfig(epochs=3, seed=1).learning_rate
        0.002
    """

    epochs: int = 30
    seconds: float | None = None
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.1
    clip: float = 1.0
    select: Select = "metric"
    patience: int | None = 8
    seed: int = 0
    device: str = "auto"
    precision: Precision = "32-true"
    workers: int = 0
    augment: bool = False
    progress: bool = True
    devices: int = 1
    num_nodes: int = 1
    strategy: Strategy = "auto"
    accumulate: int = 1
    compile: bool = False
    shuffle_buffer: int = 4096
    out: str | os.PathLike[str] | None = None
    every_seconds: float | None = 300.0
    logs: tuple[Log, ...] = ()
    resume: bool = False

    @property
    def processes(self) -> int:
        """Total number of training processes."""
        return self.devices * self.num_nodes

    def __post_init__(self) -> None:
        lowest = {"epochs": 1, "batch_size": 1, "workers": 0, "seed": 0, "weight_decay": 0.0}
        lowest |= {"devices": 1, "num_nodes": 1, "accumulate": 1, "shuffle_buffer": 1}
        for name, limit in lowest.items():
            whole = isinstance(getattr(self, name), int) or name == "weight_decay"
            if not whole:
                raise ValueError(f"{name} must be a whole number, found {getattr(self, name)!r}")
            if getattr(self, name) < limit:
                raise ValueError(f"{name} must be at least {limit}, found {getattr(self, name)}")
        for name in ("learning_rate", "clip", "seconds", "patience", "every_seconds"):
            found = getattr(self, name)
            if found is not None and not found > 0:
                raise ValueError(f"{name} must be above 0, found {found}")
        for name, known in {"precision": Precision, "strategy": Strategy, "select": Select}.items():
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} must be one of {get_args(known)}, found {getattr(self, name)!r}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be in 0..1, found {self.warmup}")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(self.device)):
            raise ValueError(f"found device {self.device!r}, expected auto, cpu, cuda, cuda:<number> or mps")
        self._check_together()

    def _check_together(self) -> None:
        if not isinstance(self.logs, tuple):
            raise ValueError(f"found logs {self.logs!r}, expected a tuple such as {get_args(Log)}")
        unknown = [log for log in self.logs if log not in get_args(Log)]
        if unknown:
            raise ValueError(f"found log {unknown[0]!r}, expected {' or '.join(get_args(Log))}")
        if self.devices > 1 and ":" in self.device:
            raise ValueError(f"found device {self.device!r} with devices={self.devices}, expected a kind of device")
