"""A test split that can be opened once per run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn, final

from gnnfuse.data.lazy_samples import ids_of, targets_of
from gnnfuse.sample.sample import Sample


@final
class HeldOut:
    """Sealed test samples: one run may evaluate on them once, so that nothing can be selected on them.

    Ids and class counts are open. There is no iteration and no indexing, and the seal can be neither copied nor
    pickled: a process that needs the test split builds the data set itself.

    Args:
        samples: the test samples.
        name: name of the split in error messages.

    Example:
        >>> test = HeldOut([Sample({"text": "hello"}, target="en", id="0")], name="greetings test")
        >>> len(test), test.counts["en"], len(test.open("run 1"))
        (1, 1, 1)
        >>> test.open("run 1")
        Traceback (most recent call last):
        ...
        ValueError: run 'run 1' has already opened greetings test: a run may evaluate on a test split once
    """

    __slots__ = ("_opened", "_samples", "counts", "ids", "name")

    name: str
    ids: tuple[str | None, ...]
    counts: Mapping[str, int]

    def __init__(self, samples: Sequence[Sample], *, name: str = "test") -> None:
        self.name = name
        self.ids = ids_of(samples)
        self.counts = MappingProxyType(count_classes(targets_of(samples)))
        self._samples = samples
        self._opened: set[str] = set()

    def open(self, run: str) -> Sequence[Sample]:
        """The samples, for the one evaluation of one run.

        Args:
            run: name of the run; the same name never opens the split again.

        Raises:
            ValueError: the run has opened this split before, or has no name.
        """
        if not run:
            raise ValueError(f"{self.name}: found an empty run name, expected a name")
        if run in self._opened:
            raise ValueError(f"run {run!r} has already opened {self.name}: a run may evaluate on a test split once")
        self._opened.add(run)
        return self._samples

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"HeldOut({self.name!r}, {len(self)} samples)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self.name} is sealed and cannot be copied: build the data set where it is needed")


def count_classes(targets: Iterable[object]) -> dict[str, int]:
    """How often each class name occurs; other targets (numbers, vectors) are not counted."""
    counts: Counter[str] = Counter()
    for target in targets:
        names = target if isinstance(target, list | tuple | set | frozenset) else (target,)
        counts.update(name for name in names if isinstance(name, str))
    return dict(sorted(counts.items()))
