"""Samples that are read one after another, from storage that is not indexed."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from gnnfuse.sample.sample import Sample


class SampleStream(ABC):
    """Samples that are read one after another, from storage that is not indexed.

    The same samples come under the same numbers in every pass.
    """

    @abstractmethod
    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        """Every sample whose number in the whole modulo `count` is `index`, with its number, in the order of numbers.

        Raises:
            ValueError: no share of that index.
        """

    def size(self) -> int | None:
        """How many samples there are, None where that is not known before they are read."""
        return None
