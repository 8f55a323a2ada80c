"""Training through Lightning."""

from typing import TYPE_CHECKING

from gnnfuse.moved import moved
from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.evaluate import Evaluation, evaluate
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.fit_task import FitReport, fit_task
from gnnfuse.train.graphs import EpochSampler, GraphDataset, prepare
from gnnfuse.train.plan import EpochPlan

__all__ = [
    "Batches",
    "EpochPlan",
    "EpochSampler",
    "Evaluation",
    "FitConfig",
    "FitReport",
    "GraphDataset",
    "Samples",
    "evaluate",
    "fit_task",
    "prepare",
]

if not TYPE_CHECKING:
    __getattr__ = moved(
        __name__,
        {
            "gnnfuse.reading": "CacheReport Survey UsableSamples UsableStream cache cache_samples survey",
            "gnnfuse.devices": "device_of",
        },
    )
