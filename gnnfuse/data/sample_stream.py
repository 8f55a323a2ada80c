"""Samples that are read one after another."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from gnnfuse.sample.sample import Sample


class SampleStream(ABC):
    """Samples that are read one after another, from storage that is not indexed.

    Every sample has a number, and the same numbers come in every pass. A stream that knows its size numbers its samples
    from 0 without gaps; one that leaves rows out as it reads returns None. Loader workers need one that can be pickled.
    """

    @abstractmethod
    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        """Every sample whose number in the whole modulo `count` is `index`, with its number, in the order of numbers.

        Args:
            index: which share, from 0.
            count: how many shares there are.
        """

    def __iter__(self) -> Iterator[Sample]:
        """All samples in the order of their numbers."""
        for _, sample in self.share(0, 1):
            yield sample

    def size(self) -> int | None:
        """How many samples there are in the whole, None where only reading them all would show it."""
        return None
