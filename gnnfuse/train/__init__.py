"""Training through Lightning."""

from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.evaluate import Evaluation, device_of, evaluate
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.fit_task import FitReport, fit_task
from gnnfuse.train.graphs import EpochSampler, GraphDataset, prepare
from gnnfuse.train.plan import Plan
from gnnfuse.train.survey import Survey, survey
from gnnfuse.train.usable_samples import UsableSamples, UsableStream

__all__ = [
    "Batches",
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
    "device_of",
    "evaluate",
    "fit_task",
    "prepare",
    "survey",
]
