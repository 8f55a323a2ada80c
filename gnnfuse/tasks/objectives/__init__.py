"""Objectives, the terms that training minimises; one per file."""

from gnnfuse.tasks.objectives.binary_cross_entropy import BinaryCrossEntropy
from gnnfuse.tasks.objectives.cross_entropy import CrossEntropy
from gnnfuse.tasks.objectives.each_modality import EachModality
from gnnfuse.tasks.objectives.focal_loss import FocalLoss
from gnnfuse.tasks.objectives.huber import Huber
from gnnfuse.tasks.objectives.left_out import LeftOut
from gnnfuse.tasks.objectives.node_cross_entropy import NodeCrossEntropy
from gnnfuse.tasks.objectives.objective import BatchObjective, Objective, Step, TargetObjective
from gnnfuse.tasks.objectives.squared_error import SquaredError

__all__ = [
    "BatchObjective",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "EachModality",
    "FocalLoss",
    "Huber",
    "LeftOut",
    "NodeCrossEntropy",
    "Objective",
    "SquaredError",
    "Step",
    "TargetObjective",
]
