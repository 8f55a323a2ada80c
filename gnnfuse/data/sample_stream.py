"""Samples that are read one after another."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from gnnfuse.sample.sample import Sample


class SampleStream(ABC):
    """Samples that are read one after another, from storage that is not indexed.

    Every sample has a number, which is the same in every pass. A stream of known size numbers its samples from 0
    without gaps; one that leaves rows out as it reads has size None. Loader workers need a stream that can be pickled.
    """

    @abstractmethod
    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        """Every sample whose number in the whole stream modulo `count` is `index`, with its number, in number order.

        Args:
            index: which share, from 0.
            count: number of shares.
        """

    def __iter__(self) -> Iterator[Sample]:
        """All samples in number order."""
        for _, sample in self.share(0, 1):
            yield sample

    def size(self) -> int | None:
        """The number of samples in the whole stream; None if only reading the whole stream would give it."""
        return None
