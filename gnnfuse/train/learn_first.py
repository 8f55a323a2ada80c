"""Lets the modules of a task that need it learn from training samples before the first step."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from gnnfuse.data import SampleStream
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes.learnt_first import LearntFirst
from gnnfuse.tasks import Task
from gnnfuse.train.batches import Samples
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.graphs import GraphDataset

MOST = 2048  # samples that are looked at


@torch.no_grad()
def learn_first(task: Task, train: Samples, config: FitConfig, device: torch.device) -> None:
    """Let the modules of a task that learn before the first step (`LearntFirst`) do so.

    They see at most 2,048 samples, evenly spread (of a stream, the first ones), without augmentation. A module that has
    learnt before is left unchanged.

    Args:
        task: what is to be trained; changed in place, and moved to the device if there is anything to learn.
        train: training samples, or their graphs, or a stream.
        config: how it is trained.
        device: where the task runs.
    """
    new = [module for module in task.modules() if isinstance(module, LearntFirst) and not module.learnt]
    if not new:
        return
    was_training = task.to(device).training
    task.eval()
    hooks = [module.register_forward_pre_hook(_gather) for module in new]
    try:
        for batch in _batches(task.builder, train, config.batch_size):
            task.model.embed(batch.to(device))
    finally:
        for hook in hooks:
            hook.remove()
        task.train(was_training)
    for module in new:
        module.settle()


def _batches(builder: GraphBuilder, samples: Samples, size: int) -> Iterator[GraphBatch]:
    """Batches of some of the samples."""
    if isinstance(samples, SampleStream):
        some: Iterator[Any] = islice(samples, MOST)
    else:
        places = np.linspace(0, len(samples) - 1, num=min(MOST, len(samples)), dtype=np.int64)
        some = (samples[place] for place in places.tolist())
    while chunk := list(islice(some, size)):
        yield GraphDataset(builder, chunk).batch([(0, place) for place in range(len(chunk))])


def _gather(module: nn.Module, given: tuple[Any, ...]) -> None:
    assert isinstance(module, LearntFirst)
    module.gather(given[0])
