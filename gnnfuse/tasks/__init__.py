"""The eighth stage: what the fused vector is for."""

from gnnfuse.tasks.class_weights import balanced_weights, positive_weights
from gnnfuse.tasks.classification import Classification
from gnnfuse.tasks.multilabel import MultiLabel
from gnnfuse.tasks.regression import Regression
from gnnfuse.tasks.task import Objectives, Prediction, Task

__all__ = [
    "Classification",
    "MultiLabel",
    "Objectives",
    "Prediction",
    "Regression",
    "Task",
    "balanced_weights",
    "positive_weights",
]
