"""Training through Lightning."""

from gnnfuse.train.fit import Evaluation, FitReport, Samples, device_of, evaluate, fit
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.graphs import EpochSampler, GraphDataset, loader, prepare

__all__ = [
    "EpochSampler",
    "Evaluation",
    "FitConfig",
    "FitReport",
    "GraphDataset",
    "Samples",
    "device_of",
    "evaluate",
    "fit",
    "loader",
    "prepare",
]
