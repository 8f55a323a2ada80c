"""Training a task, and evaluating it."""

import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gnnfuse.graph import SampleGraph
from gnnfuse.sample import Sample
from gnnfuse.tasks import Prediction, Task
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.graphs import loader

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

Samples = Sequence[Sample] | Sequence[SampleGraph]


@dataclass(frozen=True)
class FitReport:
    """What happened in training.

    Args:
        epochs: epochs begun.
        best_epoch: the epoch whose weights were kept, from 0.
        best: its validation metrics.
        seconds: wall-clock time.
        samples: training samples seen, repetitions counted.
        stopped: "epochs", "patience" or "seconds".
        history: one mapping per epoch: train_loss, valid_loss, valid_<metric>, seconds.
    """

    epochs: int
    best_epoch: int
    best: Mapping[str, float]
    seconds: float
    samples: int
    stopped: str
    history: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Evaluation:
    """How a task does on samples.

    Args:
        metrics: torchmetrics by name.
        predictions: one per sample, in order.
        samples_per_second: collating and forward pass.
    """

    metrics: Mapping[str, float]
    predictions: tuple[Prediction, ...]
    samples_per_second: float


def fit(
    task: Task,
    train: Samples,
    valid: Samples,
    config: FitConfig | None = None,
    *,
    callbacks: Sequence["Callback"] = (),
) -> FitReport:
    """Train a task through Lightning and leave it, ready to predict, with its best validation epoch's weights.

    Model selection and early stopping see `valid` only. Random states of the process are as before when it returns.

    Args:
        task: what to train; changed in place.
        train: training samples, or their graphs (`prepare`).
        valid: validation samples, likewise.
        config: how; `FitConfig()` by default.
        callbacks: further Lightning callbacks.

    Raises:
        ValueError: no samples, or one without a target.
        FloatingPointError: the loss became NaN or infinite.

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.graph import ClassTarget, GraphBuilder
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.tasks import Classification
        >>> builder = GraphBuilder([TextTokens()], target=ClassTarget(("no", "yes")))
        >>> task = Classification(Unimodal(builder.node_types, dim=16, depth=1, heads=2), builder)
        >>> samples = [Sample({"text": text}, target=text) for text in ("no", "yes") * 4]
        >>> report = fit(task, samples, samples, FitConfig(epochs=10, progress=False, device="cpu"))
        >>> report.epochs <= 10, task.predict(samples[0])[0].label
        (True, 'no')
    """
    import lightning
    from lightning.pytorch.callbacks import RichProgressBar

    from gnnfuse.train.callbacks import KeepBest, TimeLimit
    from gnnfuse.train.lightning_task import LightningTask

    config = FitConfig() if config is None else config
    device = device_of(config.device)
    pin_memory = device.type == "cuda"
    batches = loader(task.builder, train, config, training=True, pin_memory=pin_memory)
    valid_batches = loader(task.builder, valid, config, training=False, pin_memory=pin_memory)
    best, limit = KeepBest(f"valid_{task.monitor}", task.higher_is_better, config.patience), TimeLimit(config.seconds)
    bars = [RichProgressBar(leave=False)] if config.progress else []
    started = time.monotonic()
    with _quiet_lightning(), _seeded(config.seed, device):
        module = LightningTask(task, config)
        trainer = lightning.Trainer(
            accelerator=device.type,
            devices=1 if device.index is None else [device.index],
            precision=config.precision,
            max_epochs=config.epochs,
            gradient_clip_val=config.clip,
            callbacks=[limit, best, *bars, *callbacks],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=config.progress,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        with _interruptible():
            trainer.fit(module, batches, valid_batches)
        best.restore(task)
        task.eval()
    stopped = "seconds" if limit.reached else "patience" if best.gave_up else "epochs"
    return FitReport(
        epochs=len(best.history),
        best_epoch=best.epoch,
        best=best.history[best.epoch],
        seconds=time.monotonic() - started,
        samples=best.samples,
        stopped=stopped,
        history=tuple(best.history),
    )


@torch.no_grad()
def evaluate(task: Task, samples: Samples, *, batch_size: int = 256, device: str = "auto") -> Evaluation:
    """Metrics and predictions of a task on samples with targets; the task is moved to the device.

    Raises:
        ValueError: no samples, or one without a target.
    """
    place = device_of(device)
    task = task.to(place)
    metrics = task.metrics().to(place)
    config = FitConfig(batch_size=batch_size, device=device)
    predictions: list[Prediction] = []
    seconds = 0.0
    was_training = task.training
    task.eval()
    try:
        batches = iter(loader(task.builder, samples, config, training=False))
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                break
            batch = batch.to(place)
            outputs = task(batch)
            if place.type == "cuda":
                torch.cuda.synchronize(place)
            seconds += time.perf_counter() - started
            metrics.update(*task.measured(outputs, task.target_of(batch)))
            predictions += task.describe(batch, outputs)
    finally:
        task.train(was_training)
    found = {name: float(value) for name, value in metrics.compute().items()}
    return Evaluation(found, tuple(predictions), len(predictions) / seconds)


def device_of(device: str) -> torch.device:
    """The torch device that a name means: "auto" is CUDA where there is one, else the CPU.

    Raises:
        ValueError: the device is unknown or cannot be used here.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in available or (":" in device and not number.isdigit()):
        raise ValueError(f"unknown device {device!r}, expected auto, cpu, cuda, cuda:<number> or mps")
    if int(number or 0) >= available[kind]:
        raise ValueError(
            f"device {device!r} cannot be used: torch {torch.__version__} finds {available[kind]} of {kind}"
        )
    return torch.device(device)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    devices = list(range(torch.cuda.device_count())) if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def _interruptible() -> Iterator[None]:
    """Lightning answers Ctrl-C by exiting and leaves the signal ignored: give back the signal and the exception."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """No banners about devices, no advice on workers; both as before afterwards."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
