"""Formats 1 and 2, which are still read, converted to the names of formats 3 and 4.

Since format 3 a task takes objectives instead of numbers, and every model owns its encoders itself.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from gnnfuse.saving.describe import Json

Value = TypeVar("Value")
POOLED = re.compile(r"^(model\.)?pooled\.encoders\.")
LOSSES = {
    "gnnfuse.tasks.classification:Classification": "gnnfuse.tasks.objectives.cross_entropy:CrossEntropy",
    "gnnfuse.tasks.multilabel:MultiLabel": "gnnfuse.tasks.objectives.binary_cross_entropy:BinaryCrossEntropy",
    "gnnfuse.tasks.regression:Regression": "gnnfuse.tasks.objectives.squared_error:SquaredError",
}
ALONE = "gnnfuse.tasks.objectives.each_modality:EachModality"
OF_LOSS = ("label_smoothing", "class_weights")


def upgraded(described: Json, form: int) -> Json:
    """The description of an object in any format, converted to format 3.

    Example:
        >>> old = {"class": "gnnfuse.tasks.regression:Regression", "arguments": {"dropout": 0.5, "alone": 0.0}}
        >>> upgraded(old, 2)["arguments"]["objectives"]
        [{'class': 'gnnfuse.tasks.objectives.squared_error:SquaredError', 'arguments': {}}]
    """
    match described:
        case {"class": str() as place, "arguments": dict() as arguments} if form < 3 and place in LOSSES:
            rest = dict(arguments)
            alone = rest.pop("alone", 0.0)
            loss: Json = {
                "class": LOSSES[place],
                "arguments": {name: rest.pop(name) for name in OF_LOSS if name in rest},
            }
            each: Json = {"class": ALONE, "arguments": {"objective": loss, "weight": alone}}
            return {"class": place, "arguments": {**rest, "objectives": [loss, each] if alone else [loss]}}
    return described


def renamed(tensors: Mapping[str, Value], form: int) -> dict[str, Value]:
    """Tensors in any format, or the entries that list them, under the names of format 3.

    Example:
        >>> renamed({"model.pooled.encoders.encoders.text.position": 0}, 2)
        {'model.encoders.encoders.text.position': 0}
    """
    if form > 2:
        return dict(tensors)
    return {POOLED.sub(lambda found: f"{found[1] or ''}encoders.", name): value for name, value in tensors.items()}
