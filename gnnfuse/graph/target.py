"""How a sample's target becomes numbers; fitted on the training split, saved with the model."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Self

import torch
from torch import Tensor

from gnnfuse.nodes.moments import Moments
from gnnfuse.sample import Sample


class TargetEncoding(ABC):
    """Turns a sample's target into a tensor of one shape for all samples."""

    @abstractmethod
    def encode(self, sample: Sample) -> Tensor:
        """The target as a tensor.

        Raises:
            ValueError: names the sample, what was found and what was expected.
        """


@dataclass(frozen=True)
class ClassTarget(TargetEncoding):
    """One class out of several, given by name (or by number, where the names are not numbers themselves).

    Args:
        classes: the class names, in the order of the model's outputs.

    Raises:
        ValueError: a name stands twice.

    Example:
        >>> ClassTarget(("cat", "dog")).encode(Sample({}, target="dog"))
        tensor(1)
    """

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_classes(self.classes)

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> Self:
        """The classes found in the training split, sorted."""
        return cls(tuple(sorted({str(sample.target) for sample in samples if sample.target is not None})))

    def encode(self, sample: Sample) -> Tensor:
        """The class's number: an int64 scalar."""
        return torch.tensor(_class_number(sample, sample.target, self.classes))


@dataclass(frozen=True)
class MultiLabelTarget(TargetEncoding):
    """Any number of classes at once, given as a collection of names.

    Args:
        classes: the class names, in the order of the model's outputs.

    Example:
        >>> MultiLabelTarget(("cat", "dog", "owl")).encode(Sample({}, target=["owl", "cat"]))
        tensor([1., 0., 1.])
    """

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_classes(self.classes)

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> Self:
        """The classes found in the training split, sorted."""
        found = {str(name) for sample in samples if sample.target is not None for name in _names(sample)}
        return cls(tuple(sorted(found)))

    def encode(self, sample: Sample) -> Tensor:
        """One float per class, 1 where the sample has it."""
        encoded = torch.zeros(len(self.classes))
        for name in _names(sample):
            encoded[_class_number(sample, name, self.classes)] = 1.0
        return encoded


@dataclass(frozen=True)
class NumberTarget(TargetEncoding):
    """One number or several.

    Args:
        size: how many numbers.
        mean: `size` numbers taken off, as `fit` sets them.
        scale: `size` numbers divided by, as `fit` sets them.

    Example:
        >>> NumberTarget(mean=(1.0,), scale=(2.0,)).encode(Sample({}, target=5))
        tensor([2.])
    """

    size: int = 1
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            if len(getattr(self, name)) == 1 and self.size > 1:
                object.__setattr__(self, name, getattr(self, name) * self.size)
        if self.size < 1 or not len(self.mean) == len(self.scale) == self.size:
            raise ValueError(f"size must be at least 1, with as many means and scales, found {self}")

    @classmethod
    def fit(cls, samples: Iterable[Sample], *, size: int = 1) -> Self:
        """Mean and standard deviation over the training split.

        Raises:
            ValueError: no sample has a target.
        """
        plain = cls(size)
        moments = Moments(size)
        for sample in samples:
            if sample.target is not None:
                moments.add(plain.encode(sample).unsqueeze(0))
        if not moments.rows:
            raise ValueError("no training sample has a target to fit a scale on")
        return cls(size, tuple(moments.mean.tolist()), tuple(moments.scale.tolist()))

    def encode(self, sample: Sample) -> Tensor:
        """The scaled numbers: float32 `[size]`."""
        try:
            numbers = torch.as_tensor(sample.target, dtype=torch.float64).reshape(-1)
        except (TypeError, ValueError, RuntimeError):
            numbers = torch.full((0,), torch.nan)
        if len(numbers) != self.size or not bool(torch.isfinite(numbers).all()):
            raise ValueError(
                f"sample {sample.id!r}: found target {sample.target!r}, expected {self.size} finite numbers"
            )
        return ((numbers - torch.tensor(self.mean).double()) / torch.tensor(self.scale).double()).float()


def _check_classes(classes: tuple[str, ...]) -> None:
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"classes must be a tuple of names (strings), found {classes!r}")
    if len(set(classes)) != len(classes):
        twice = sorted({name for name in classes if classes.count(name) > 1})
        raise ValueError(f"class names must differ, found twice: {twice}")


def _names(sample: Sample) -> list[object]:
    if isinstance(sample.target, list | tuple | set | frozenset):
        return sorted(sample.target, key=str)
    raise ValueError(f"sample {sample.id!r}: found target {sample.target!r}, expected a list of class names")


def _class_number(sample: Sample, target: object, classes: tuple[str, ...]) -> int:
    name = str(target.item()) if isinstance(target, Tensor) and target.numel() == 1 else str(target)
    if target is not None and name in classes:
        return classes.index(name)
    numeric = isinstance(target, Integral | Tensor) and name.isdigit()
    if numeric and not any(known.isdigit() for known in classes) and int(name) < len(classes):
        return int(name)
    shown = ", ".join(classes[:10]) + (f", ... ({len(classes)} in all)" if len(classes) > 10 else "")
    raise ValueError(f"sample {sample.id!r}: found target {target!r}, expected one of the classes {shown}")
