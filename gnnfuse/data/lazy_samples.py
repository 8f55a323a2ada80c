"""Samples that are made on access, while their ids and targets are known at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from gnnfuse.sample.sample import Sample


@dataclass(frozen=True)
class LazySamples(Sequence[Sample]):
    """A sequence that makes a sample at every access and keeps none.

    For media that would fill memory if all were decoded, or that are changed when read (noise). Can be pickled if
    `signals` can: pass a module-level function or a small object with `__call__`, not a lambda.

    Args:
        signals: position -> the signals of the sample there; must give the same each time.
        ids: one id per sample.
        targets: one target per sample.

    Raises:
        ValueError: not as many targets as ids.

    Example:
        >>> squares = LazySamples(lambda index: {"rows": [[index**2]]}, ids=("a", "b", "c"), targets=("x", "y", "x"))
        >>> squares[2].signals["rows"], squares[2].target, len(squares[1:])
        ([[4]], 'x', 2)
    """

    signals: Callable[[int], dict[str, object]]
    ids: tuple[str, ...]
    targets: tuple[object, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.targets):
            raise ValueError(f"{len(self.ids)} ids but {len(self.targets)} targets, expected one per sample")

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "LazySamples": ...
    def __getitem__(self, index: int | slice) -> "Sample | LazySamples":
        if isinstance(index, slice):
            chosen = Reindexed(self.signals, range(len(self))[index])
            return LazySamples(chosen, self.ids[index], self.targets[index])
        position = range(len(self))[index]
        return Sample(self.signals(position), target=self.targets[position], id=self.ids[position])


@dataclass(frozen=True)
class Reindexed:
    """The signals at chosen positions: what a slice of `LazySamples` reads."""

    signals: Callable[[int], dict[str, object]]
    positions: range

    def __call__(self, index: int) -> dict[str, object]:
        """The signals at one of the chosen positions."""
        return self.signals(self.positions[index])


def ids_of(samples: Sequence[Sample]) -> tuple[str | None, ...]:
    """The ids of samples, without making any lazy sample."""
    return samples.ids if isinstance(samples, LazySamples) else tuple(sample.id for sample in samples)


def targets_of(samples: Sequence[Sample]) -> tuple[object, ...]:
    """The targets of samples, without making any lazy sample."""
    return samples.targets if isinstance(samples, LazySamples) else tuple(sample.target for sample in samples)
