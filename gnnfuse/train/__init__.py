"""Training through Lightning."""

from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.cache_samples import CacheReport, cache_samples
from gnnfuse.train.cache_table import cache
from gnnfuse.train.evaluate import Evaluation, device_of, evaluate
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.fit_task import FitReport, fit_task
from gnnfuse.train.graphs import EpochSampler, GraphDataset, prepare
from gnnfuse.train.plan import Plan
from gnnfuse.train.survey import Survey, survey
from gnnfuse.train.usable_samples import UsableSamples, UsableStream

__all__ = [
    "Batches",
    "CacheReport",
    "EpochSampler",
    "Evaluation",
    "FitConfig",
    "FitReport",
    "GraphDataset",
    "Plan",
    "Samples",
    "Survey",
    "UsableSamples",
    "UsableStream",
    "cache",
    "cache_samples",
    "device_of",
    "evaluate",
    "fit_task",
    "prepare",
    "survey",
]
