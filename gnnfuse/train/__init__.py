"""Training through Lightning."""

from gnnfuse.train.fit import Evaluation, FitReport, Samples, device_of, evaluate, fit
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.graphs import EpochSampler, GraphDataset, loader, prepare
from gnnfuse.train.survey import Survey, survey
from gnnfuse.train.usable_samples import UsableSamples, UsableStream

__all__ = [
    "EpochSampler",
    "Evaluation",
    "FitConfig",
    "FitReport",
    "GraphDataset",
    "Samples",
    "Survey",
    "UsableSamples",
    "UsableStream",
    "device_of",
    "evaluate",
    "fit",
    "loader",
    "prepare",
    "survey",
]
