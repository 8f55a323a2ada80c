"""The eighth stage: tasks, which turn fused vectors into predictions."""

from gnnfuse.tasks.blend import Blend
from gnnfuse.tasks.calibration import expected_calibration_error, temperature
from gnnfuse.tasks.class_weights import balanced_weights, positive_weights
from gnnfuse.tasks.classification import Classification
from gnnfuse.tasks.conformal import Intervals, LabelSets
from gnnfuse.tasks.linear_head import LinearHead, VectorHead
from gnnfuse.tasks.multilabel import MultiLabel
from gnnfuse.tasks.node_classification import NodeClassification, NodeLabel
from gnnfuse.tasks.objectives import (
    BatchObjective,
    BinaryCrossEntropy,
    CrossEntropy,
    EachModality,
    FocalLoss,
    Huber,
    LeftOut,
    NodeCrossEntropy,
    Objective,
    SquaredError,
    Step,
    TargetObjective,
)
from gnnfuse.tasks.regression import Regression
from gnnfuse.tasks.task import Prediction, Task
from gnnfuse.tasks.trees import Trees

__all__ = [
    "BatchObjective",
    "BinaryCrossEntropy",
    "Blend",
    "Classification",
    "CrossEntropy",
    "EachModality",
    "FocalLoss",
    "Huber",
    "Intervals",
    "LabelSets",
    "LeftOut",
    "LinearHead",
    "MultiLabel",
    "NodeClassification",
    "NodeCrossEntropy",
    "NodeLabel",
    "Objective",
    "Prediction",
    "Regression",
    "SquaredError",
    "Step",
    "TargetObjective",
    "Task",
    "Trees",
    "VectorHead",
    "balanced_weights",
    "expected_calibration_error",
    "positive_weights",
    "temperature",
]
