"""The numbers of a training run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to train.

    The learning rate rises over the first `warmup` of the run and falls along a cosine to zero at its end. With a
    limit in seconds the run's end is whichever of `epochs` and `seconds` comes first, and the schedule follows it.

    Args:
        epochs: passes over the training samples.
        seconds: time limit; None for none. A run that reaches it depends on the machine's speed.
        batch_size: samples per step.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW, on the weights of linear and convolution layers only.
        warmup: share of the run in which the learning rate rises.
        clip: largest gradient norm.
        patience: epochs without a better validation metric until training stops; None never stops early.
        seed: of everything random: order of samples, dropout, augmentation.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", "mps".
        precision: as Lightning names it: "32-true", "bf16-mixed", "16-mixed".
        workers: loader processes; 0 loads in the training process.
        augment: change training samples at random as their node types say.
        progress: show a progress bar.

    Raises:
        ValueError: a number out of range; the message names it.

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
    patience: int | None = 8
    seed: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    workers: int = 0
    augment: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        lowest = {"epochs": 1, "batch_size": 1, "workers": 0, "seed": 0, "weight_decay": 0.0}
        for name, limit in lowest.items():
            whole = isinstance(getattr(self, name), int) or name == "weight_decay"
            if not whole:
                raise ValueError(f"{name} must be a whole number, found {getattr(self, name)!r}")
            if getattr(self, name) < limit:
                raise ValueError(f"{name} must be at least {limit}, found {getattr(self, name)}")
        for name in ("learning_rate", "clip", "seconds", "patience"):
            found = getattr(self, name)
            if found is not None and not found > 0:
                raise ValueError(f"{name} must be above 0, found {found}")
        if self.precision not in ("32-true", "bf16-mixed", "16-mixed"):
            raise ValueError(f"precision must be '32-true', 'bf16-mixed' or '16-mixed', found {self.precision!r}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be in 0..1, found {self.warmup}")
