"""Training through Lightning."""

from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.cache import CacheReport, cache
from gnnfuse.train.cache_table import cache_table
from gnnfuse.train.evaluate import Evaluation, device_of, evaluate
from gnnfuse.train.fit import FitReport, fit
from gnnfuse.train.fit_config import FitConfig
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
    "cache_table",
    "device_of",
    "evaluate",
    "fit",
    "prepare",
    "survey",
]
