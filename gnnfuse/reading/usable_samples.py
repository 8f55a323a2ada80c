"""Samples without their unreadable signals: views that store row numbers, not samples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import overload

import numpy as np
from jaxtyping import Int64

from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.sample import Sample, with_rest_of


@dataclass(frozen=True, eq=False)
class UsableSamples(Sequence[Sample]):
    """The samples at some positions of a sequence, without the signals that cannot be read.

    Args:
        samples: the whole sequence.
        places: positions of the samples, in this order.
        dropped: position in the whole sequence -> signals that cannot be read, each once per fault (see
            `with_rest_of`).

    Example:
        >>> whole = [Sample({"text": "a"}), Sample({"text": "b"}), Sample({"text": "c", "image": "broken"})]
        >>> found = UsableSamples(whole, np.array([0, 2]), {2: ("image",)})
        >>> [dict(sample.signals) for sample in found]
        [{'text': 'a'}, {'text': 'c'}]
    """

    samples: Sequence[Sample]
    places: Int64[np.ndarray, "usable"]
    dropped: Mapping[int, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "UsableSamples": ...
    def __getitem__(self, index: int | slice) -> "Sample | UsableSamples":
        if isinstance(index, slice):
            return replace(self, places=self.places[index])
        place = int(self.places[index])
        return without(self.samples[place], self.dropped.get(place, ()))

    def among(self, places: Iterable[int]) -> "UsableSamples":
        """The usable samples at the given positions in the whole sequence, in the given order."""
        wanted = np.fromiter(places, dtype=np.int64)
        return replace(self, places=wanted[np.isin(wanted, self.places)])


@dataclass(frozen=True, eq=False)
class UsableStream(SampleStream):
    """A stream without the samples that were left out, with new numbers, and without the signals that cannot be read.

    Args:
        stream: the whole stream.
        left_out: ascending numbers of the samples to leave out.
        dropped: number in the whole stream -> signals that cannot be read, as in `UsableSamples`.
        count: number of samples left, if known.
    """

    stream: SampleStream
    left_out: Int64[np.ndarray, "left_out"]
    dropped: Mapping[int, tuple[str, ...]]
    count: int | None = None

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        """The samples whose new number modulo `count` is `index`."""
        if not 0 <= index < count:
            raise ValueError(f"found share {index} of {count}, expected 0 to {count - 1}")
        if not len(self.left_out):  # numbers are unchanged: samples of other shares need not be made
            for number, sample in self.stream.share(index, count):
                yield number, without(sample, self.dropped.get(number, ()))
            return
        gone = set(self.left_out.tolist())
        kept = ((number, sample) for number, sample in self.stream.share(0, 1) if number not in gone)
        for new, (number, sample) in enumerate(kept):
            if new % count == index:
                yield new, without(sample, self.dropped.get(number, ()))

    def size(self) -> int | None:
        """The number of samples left."""
        return self.count


def without(sample: Sample, dropped: Iterable[str]) -> Sample:
    """The sample with unreadable signals replaced by what is left of them."""
    return reduce(with_rest_of, dropped, sample)
