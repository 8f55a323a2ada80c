"""One class per node."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.target import ClassTarget, TargetEncoding
from gnnfuse.sample import Sample
from gnnfuse.sample.class_name import missing

UNKNOWN = -1


@dataclass(frozen=True)
class NodeTarget(TargetEncoding):
    """A class for each node of one type, in the order of the nodes; None, or the number -1, if it is unknown.

    A sample's target may be nested, such as rows of classes for the patches of a picture; it is read row by row.
    A sample without the nodes has an empty list.

    Args:
        of: name of the node type.
        classes: the class names, in the order of the model's outputs.

    Raises:
        ValueError: a name occurs twice.

    Example:
        >>> NodeTarget("image", ("sky", "sea")).encode(Sample({}, target=[["sky", "sea"], ["sea", None]]))
        tensor([ 0,  1,  1, -1])
    """

    kind: ClassVar[str | None] = "node classes"
    of: str
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        ClassTarget(self.classes)

    @classmethod
    def fit(cls, samples: Iterable[Sample], *, of: str) -> Self:
        """The classes found in the training split, sorted; whole numbers as numbers."""
        found = (
            Sample({}, entry, sample.id) for sample in samples for entry in _entries(sample) if not _unknown(entry)
        )
        return cls(of, ClassTarget.fit(found).classes)

    def encode(self, sample: Sample) -> Tensor:
        """The classes' numbers: int64 `[nodes]`, -1 if unknown.

        Raises:
            ValueError: an entry is none of the classes; names the sample and the entry.
        """
        one = ClassTarget(self.classes)
        numbers = [
            UNKNOWN if _unknown(entry) else int(one.encode(Sample({}, entry, sample.id))) for entry in _entries(sample)
        ]
        return torch.tensor(numbers, dtype=torch.int64)

    def collate(self, encoded: Sequence[Tensor]) -> Ragged:
        """One row per node, sample after sample."""
        return Ragged.joined(list(encoded), self.of)


def _unknown(entry: object) -> bool:
    return missing(entry) or (isinstance(entry, Integral) and int(entry) == UNKNOWN)


def _entries(sample: Sample) -> list[object]:
    target = sample.target
    if isinstance(target, str) or not hasattr(target, "__iter__"):
        raise ValueError(f"sample {sample.id!r}: found target {target!r}, expected a class for each node")
    flat: list[object] = []
    pending = [target]
    while pending:
        found = pending.pop()
        if isinstance(found, Tensor | np.ndarray):
            flat += found.flatten().tolist()
        elif isinstance(found, list | tuple):
            pending += reversed(found)
        else:
            flat.append(found)
    return flat
