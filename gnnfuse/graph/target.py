"""Encodes a sample's target as numbers; fitted on the training split, saved with the model."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from gnnfuse.graph.class_number import class_number
from gnnfuse.graph.log_tail import LogTail
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.robust_scale import robust_scale
from gnnfuse.nodes.moments import Moments
from gnnfuse.sample import Sample, class_name
from gnnfuse.sample.class_name import in_order, missing
from gnnfuse.sample.multi_hot import Entries, listed, multi_hot_width, only_truths, truths

SETS = (set, frozenset)
NO_TARGET = "no training sample has a target to fit a scale on"


class TargetEncoding(ABC):
    """Turns a sample's target into a tensor, of one shape for all samples unless `collate` joins different ones.

    Attributes:
        kind: "class", "labels", "numbers", "node classes" or a word of one's own, which objectives name in
            `Objective.reads`; None leaves it open, and every objective accepts it.
    """

    kind: ClassVar[str | None] = None

    @abstractmethod
    def encode(self, sample: Sample) -> Tensor:
        """The target as a tensor.

        Raises:
            ValueError: names the sample, what was found and what was expected.
        """

    def collate(self, encoded: Sequence[Tensor]) -> Tensor | Ragged:
        """The targets of a batch's samples as one: `[graphs, ...]` by default, `Ragged` if they differ in length."""
        return torch.stack(list(encoded))

    def named(self, sample: Sample) -> object:
        """The target as class names, if it has classes: a name or a tuple of names.

        Raises:
            ValueError: as `encode`.
        """
        return sample.target


@dataclass(frozen=True)
class ClassTarget(TargetEncoding):
    """One class out of several, given by name (or by number, if the names are not numbers themselves).

    Names are compared by value (`class_name`): "1", 1, 1.0, `np.int64(1)` and `torch.tensor([1])` are one class.

    Args:
        classes: the class names, in the order of the model's outputs.

    Raises:
        ValueError: a name occurs twice.

    Example:
        >>> ClassTarget(("cat", "dog")).encode(Sample({}, target="dog"))
        tensor(1)
    """

    kind: ClassVar[str | None] = "class"
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_classes(self.classes)

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> Self:
        """The classes found in the training split, sorted; whole numbers as numbers. Missing targets are ignored.

        Raises:
            ValueError: a target is a collection, not a class; names the sample.
        """
        return cls(in_order(_name(sample, sample.target) for sample in samples if not missing(sample.target)))

    def encode(self, sample: Sample) -> Tensor:
        """The class's number: an int64 scalar."""
        return torch.tensor(class_number(sample, sample.target, self.classes))

    def named(self, sample: Sample) -> str:
        """The class's name."""
        return self.classes[class_number(sample, sample.target, self.classes)]


@dataclass(frozen=True)
class MultiLabelTarget(TargetEncoding):
    """Any number of classes at once, given as a collection of names (or numbers, as for `ClassTarget`) or multi-hot.

    A list, tuple, array or tensor with as many entries as there are classes, all true or false (1, 0, 1.0, 0.0, True,
    False), is multi-hot: each entry stands for the class at its position. One or two different whole numbers, such as
    [0, 1] for two classes, are ambiguous and refused, unless `fit` found multi-hot lists or the class names themselves
    are whole numbers; then they are names. Sets are always names.

    Args:
        classes: the class names, in the order of the model's outputs.

    Example:
        >>> target = MultiLabelTarget(("cat", "dog", "owl"))
        >>> target.encode(Sample({}, target=["owl", "cat"])), target.encode(Sample({}, target=[0, 1, 0]))
        (tensor([1., 0., 1.]), tensor([0., 1., 0.]))
    """

    kind: ClassVar[str | None] = "labels"
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_classes(self.classes)

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> Self:
        """The classes found in the training split, sorted; whole numbers as numbers.

        If all targets are multi-hot lists (`gnnfuse.sample.multi_hot.multi_hot_width`), the classes are named by their
        positions: "[0]", "[1]" and so on.

        Example:
            >>> MultiLabelTarget.fit([Sample({}, target=[0, 1, 0]), Sample({}, target=[1, 1, 0])]).classes
            ('[0]', '[1]', '[2]')
            >>> MultiLabelTarget.fit([Sample({}, target=[3]), Sample({}, target=[0, 12])]).classes
            ('0', '3', '12')
        """
        found = [(sample, _entries(sample)) for sample in samples if not missing(sample.target)]
        lists = [entries for sample, entries in found if not isinstance(sample.target, SETS)]
        if not any(isinstance(entry, str) for entries in lists for entry in entries):
            width = multi_hot_width(lists)
            if width:
                return cls(_places(width))
        return cls(in_order({_name(sample, entry) for sample, entries in found for entry in entries}))

    def encode(self, sample: Sample) -> Tensor:
        """One float per class, 1 if the sample has it."""
        entries = _entries(sample)
        ones = None if isinstance(sample.target, SETS) else _multi_hot(sample, entries, self.classes)
        if ones is not None:
            return torch.from_numpy(ones).float()
        encoded = torch.zeros(len(self.classes))
        for entry in entries:
            encoded[class_number(sample, entry, self.classes)] = 1.0
        return encoded

    def named(self, sample: Sample) -> tuple[str, ...]:
        """The names of the classes that the sample has."""
        has = self.encode(sample).tolist()
        return tuple(name for name, one in zip(self.classes, has, strict=True) if one)


@dataclass(frozen=True)
class NumberTarget(TargetEncoding):
    """One number or several.

    A number is transformed, if it has a transformation, then shifted and scaled, all fitted, applied and undone in
    float64: float32, in which models compute, has 24 bits, and would round a time stamp of 1.7e9 seconds to 128
    seconds.

    Args:
        size: how many numbers.
        mean: `size` numbers to subtract, set by `fit`.
        scale: `size` numbers to divide by, set by `fit`.
        names: names of the numbers in metrics and plots; by default their positions, from 0.
        transforms: the transformation of each number before that, or None; by default none has one.

    Raises:
        ValueError: `mean`, `scale`, `names` or `transforms` are not `size` long, or a name occurs twice.

    Example:
        >>> NumberTarget(mean=(1.0,), scale=(2.0,)).encode(Sample({}, target=5))
        tensor([2.])
    """

    kind: ClassVar[str | None] = "numbers"
    size: int = 1
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    names: tuple[str, ...] = ()
    transforms: tuple[LogTail | None, ...] = ()

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            if len(getattr(self, name)) == 1 and self.size > 1:
                object.__setattr__(self, name, getattr(self, name) * self.size)
        if self.size < 1 or not len(self.mean) == len(self.scale) == self.size:
            raise ValueError(f"size must be at least 1, with as many means and scales, found {self}")
        if self.names and not len(self.names) == len(set(self.names)) == self.size:
            raise ValueError(f"names must be {self.size} different ones, found {self.names}")
        if self.transforms and len(self.transforms) != self.size:
            raise ValueError(f"transforms must be {self.size}, found {self.transforms}")

    @classmethod
    def fit(cls, samples: Iterable[Sample], *, size: int = 1, names: tuple[str, ...] = ()) -> Self:
        """Mean and standard deviation over the training split, in float64.

        Raises:
            ValueError: no sample has a target.
        """
        plain, moments = cls(size, names=names), Moments(size)
        for sample in samples:
            if sample.target is not None:
                moments.add(plain._numbers(sample).unsqueeze(0))
        if not moments.rows:
            raise ValueError(NO_TARGET)
        return cls(size, tuple(moments.mean.tolist()), tuple(moments.scale.tolist()), names)

    @classmethod
    def fit_robust(cls, samples: Iterable[Sample], *, size: int = 1, names: tuple[str, ...] = ()) -> Self:
        """A logarithm of skewed numbers (`LogTail.fit`), then `robust_scale`, over the training split.

        Raises:
            ValueError: no sample has a target.
        """
        plain, found = cls(size, names=names), array("d")
        for sample in samples:
            if sample.target is not None:
                found.extend(plain._numbers(sample).tolist())
        if not found:
            raise ValueError(NO_TARGET)
        columns = torch.tensor(found, dtype=torch.float64).reshape(-1, size).T
        logs = tuple(LogTail.fit(column) for column in columns)
        scaled = [
            robust_scale(column if log is None else log.forward(column))
            for log, column in zip(logs, columns, strict=True)
        ]
        mean, scale = zip(*scaled, strict=True)
        return cls(size, mean, scale, names, logs if any(logs) else ())

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the numbers.

        Example:
            >>> NumberTarget(2).labels, NumberTarget(2, names=("mass", "ratio")).labels
            (('0', '1'), ('mass', 'ratio'))
        """
        return self.names or tuple(map(str, range(self.size)))

    def encode(self, sample: Sample) -> Tensor:
        """The scaled numbers: float32 `[size]`."""
        return self.scaled(self._numbers(sample).unsqueeze(0))[0].float()

    def scaled(self, numbers: Float[Tensor, "graphs size"]) -> Float64[Tensor, "graphs size"]:
        """Numbers in the target's own unit as they are encoded, in float64 on the CPU; the inverse of `decode`."""
        mean, scale = torch.tensor([self.mean, self.scale], dtype=torch.float64)
        numbers = numbers.detach().cpu().double()
        if self.transforms:
            numbers = _by_column([None if each is None else each.forward for each in self.transforms], numbers)
        scaled: Tensor = (numbers - mean) / scale
        return scaled

    def decode(self, encoded: Float[Tensor, "graphs size"]) -> Float64[Tensor, "graphs size"]:
        """Scaled numbers in the target's own unit: float64, on the CPU (not every device has float64)."""
        mean, scale = torch.tensor([self.mean, self.scale], dtype=torch.float64)
        decoded: Tensor = encoded.detach().cpu().double() * scale + mean
        if self.transforms:
            decoded = _by_column([None if each is None else each.inverse for each in self.transforms], decoded)
        return decoded

    @property
    def center(self) -> tuple[float, ...]:
        """What an encoded 0 stands for, in each number's own unit: the mean, or the median, in training."""
        return tuple(self.decode(torch.zeros(1, self.size))[0].tolist()) if self.transforms else self.mean

    @property
    def spread(self) -> tuple[float, ...]:
        """Half the distance between what -1 and 1 stand for, in each number's own unit: the standard deviation in
        training, or what `robust_scale` takes for it.
        """
        if not self.transforms:
            return self.scale
        low, high = self.decode(torch.tensor([[-1.0], [1.0]]).expand(2, self.size))
        return tuple(((high - low) / 2).tolist())

    def _numbers(self, sample: Sample) -> Tensor:
        """The unscaled target: float64 `[size]`."""
        try:
            numbers = torch.as_tensor(sample.target, dtype=torch.float64).reshape(-1)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            numbers = torch.full((0,), torch.nan)
        if len(numbers) != self.size or not bool(torch.isfinite(numbers).all()):
            raise ValueError(
                f"sample {sample.id!r}: found target {sample.target!r}, expected {self.size} finite numbers"
            )
        return numbers


def _by_column(functions: Sequence[Callable[[Tensor], Tensor] | None], numbers: Tensor) -> Tensor:
    """The columns of numbers, each through its function if it has one."""
    return torch.stack(
        [column if each is None else each(column) for each, column in zip(functions, numbers.T, strict=True)], dim=1
    )


def _check_classes(classes: tuple[str, ...]) -> None:
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"classes must be a tuple of names (strings), found {classes!r}")
    if len(set(classes)) != len(classes):
        twice = sorted({name for name in classes if classes.count(name) > 1})
        raise ValueError(f"class names must differ, found twice: {twice}")


def _places(width: int) -> tuple[str, ...]:
    return tuple(f"[{place}]" for place in range(width))


def _entries(sample: Sample) -> Entries:
    target = sample.target
    found = sorted(target, key=str) if isinstance(target, SETS) else listed(target)
    if found is None:
        raise ValueError(f"sample {sample.id!r}: found target {target!r}, expected a list of class names")
    return found


def _name(sample: Sample, value: object) -> str:
    try:
        return class_name(value)
    except ValueError as error:
        raise ValueError(f"sample {sample.id!r}: target: {error}") from error


def _multi_hot(sample: Sample, entries: Entries, classes: tuple[str, ...]) -> Float64[np.ndarray, "classes"] | None:
    """The 0 or 1 at each class's position; None if the entries are names or numbers of classes."""
    if any(isinstance(entry, str) for entry in entries):
        return None
    found = truths(entries) if len(entries) == len(classes) else None
    by_place = classes == _places(len(classes))
    if (found is None and by_place and len(entries)) or (found is not None and np.isnan(found).any()):
        what = f"0 or 1 for each of the {len(classes)} classes"
        raise ValueError(f"sample {sample.id!r}: found target {sample.target!r}, expected {what}")
    if found is None or by_place or only_truths(entries) or len(np.unique(found)) < len(found):
        return found
    if any(known.isdigit() for known in classes):
        return None
    raise ValueError(
        f"sample {sample.id!r}: found target {sample.target!r}, which may be classes by number or a 0 or 1 for each; "
        f"expected names ({', '.join(classes)}), or True or False for each"
    )
