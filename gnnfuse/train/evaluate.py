"""Measuring a task on samples."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from gnnfuse.busy_cores import yielding_cores
from gnnfuse.devices import device_of
from gnnfuse.tasks import Prediction, Task
from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.without_others import without_others


@dataclass(frozen=True)
class Evaluation:
    """The results of a task on samples.

    Args:
        metrics: torchmetrics by name.
        predictions: one per sample, in order.
        samples_per_second: of collating and forward pass.
    """

    metrics: Mapping[str, float]
    predictions: tuple[Prediction, ...]
    samples_per_second: float


@torch.no_grad()
@yielding_cores()
def evaluate(
    task: Task, samples: Samples, *, batch_size: int = 256, device: str = "auto", workers: int = 0
) -> Evaluation:
    """Metrics and predictions of a task on samples with targets; the task is moved to the device.

    Of several training processes, each measures all samples by itself and waits for no other.

    Args:
        task: what to measure.
        samples: on what.
        batch_size: samples per batch.
        device: as `FitConfig.device`.
        workers: loader processes; 0 reads in this process.

    Raises:
        ValueError: no samples, or one without a target.
    """
    place = device_of(device)
    task = task.to(place)
    metrics = without_others(task.metrics().to(place))
    config = FitConfig(batch_size=batch_size, device=device, workers=workers)
    predictions: list[Prediction] = []
    seconds = 0.0
    was_training = task.training
    task.eval()
    try:
        batches = iter(Batches(task.builder, samples, config, training=False))
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
