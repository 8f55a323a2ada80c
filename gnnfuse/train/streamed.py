"""A stream's batches: each loader worker reads its own share through its own shuffle buffer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from gnnfuse.data import SampleStream
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.sample import Sample
from gnnfuse.train.graphs import graphs_of

T = TypeVar("T")


@dataclass(frozen=True)
class EpochReading:
    """What all workers of a process need to read one epoch, or the rest of it.

    Args:
        epoch: number of the epoch.
        rank: rank of the process.
        processes: number of processes.
        workers: per worker process (index of its share, number of its parts already done).
        part_size: samples in a full part.
        shuffle: (seed, samples held) of the shuffle buffer; None keeps the order.
        augment_seed: seed of the random changes; None for none.
    """

    epoch: int
    rank: int
    processes: int
    workers: tuple[tuple[int, int], ...]
    part_size: int
    shuffle: tuple[int, int] | None
    augment_seed: int | None


class StreamedParts(IterableDataset[GraphBatch]):
    """The parts that one loader worker makes.

    Args:
        builder: makes samples into graphs.
        stream: the samples.
        reading: which samples to read, and how.
    """

    def __init__(self, builder: GraphBuilder, stream: SampleStream, reading: EpochReading) -> None:
        self.builder = builder
        self.stream = stream
        self.reading = reading

    def __iter__(self) -> Iterator[GraphBatch]:
        reading, info = self.reading, get_worker_info()
        share, over = reading.workers[0 if info is None else info.id]
        index = reading.rank + reading.processes * share
        numbered = self._checked(index, reading.processes * len(reading.workers))
        if reading.shuffle is not None:
            seed, held = reading.shuffle
            numbered = shuffled(numbered, held, np.random.default_rng((seed, reading.epoch, index)))
        rest = islice(numbered, over * reading.part_size, None)
        while part := list(islice(rest, reading.part_size)):
            memory = self.builder.batch_memory(len(part))
            augment = None if reading.augment_seed is None else (reading.augment_seed, reading.epoch)
            yield self.builder.collate(graphs_of(self.builder, part, augment=augment, memory=memory), memory=memory)

    def _checked(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        last = -1
        for number, sample in self.stream.share(index, count):
            if number % count != index or number <= last:
                raise ValueError(
                    f"stream {self.stream!r}, share {index} of {count}: found sample number {number} after {last}, "
                    f"expected rising numbers that are {index} modulo {count}"
                )
            yield number, sample
            last = number


def shuffled(items: Iterable[T], held: int, generator: np.random.Generator) -> Iterator[T]:
    """Shuffle with a buffer of `held` items: for each new item, one is drawn from the buffer at random.

    Example:
        >>> found = list(shuffled(range(6), 3, np.random.default_rng(0)))
        >>> sorted(found), found == list(range(6))
        ([0, 1, 2, 3, 4, 5], False)
    """
    buffer: list[T] = []
    for item in items:
        if len(buffer) < held:
            buffer.append(item)
            continue
        place = int(generator.integers(held))
        yield buffer[place]
        buffer[place] = item
    yield from (buffer[place] for place in generator.permutation(len(buffer)))


def share_sizes(stream: SampleStream, count: int) -> NDArray[np.int64]:
    """The number of samples in each of `count` shares of a stream.

    A stream of unknown size is read once to count its samples; their media are not read.
    """
    size = stream.size()
    if size is not None:
        return np.array([len(range(index, size, count)) for index in range(count)], dtype=np.int64)
    sizes = np.zeros(count, dtype=np.int64)
    for number, _ in stream.share(0, 1):
        sizes[number % count] += 1
    return sizes
