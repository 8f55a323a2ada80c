"""Applying a function to every sample, in the order of samples, by loader workers or in this process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.reading.worker import Loading, worker_context
from gnnfuse.sample import Sample

Found = TypeVar("Found")


def read_in_order(
    read: Callable[[int, Sample], Found],
    samples: Sequence[Sample] | SampleStream,
    *,
    workers: int,
    chunk: int,
    start: Callable[[int], None] | None = None,
) -> Iterator[Found]:
    """The results of `read(number, sample)`, in the order of sample numbers.

    For a stream this holds if its numbers have no gaps: its samples are dealt to loader workers in turn.

    Args:
        read: the function; must be picklable unless workers are forked.
        samples: the samples to read.
        workers: loader processes; 0 reads in this process.
        chunk: how many samples of a sequence a worker returns at once.
        start: called first in each worker.

    Example:
        >>> list(read_in_order(lambda number, sample: sample.id, [Sample({}, id="a")], workers=0, chunk=8))
        ['a']
    """
    options: dict[str, Any] = {
        "num_workers": workers,
        "worker_init_fn": start,
        "multiprocessing_context": worker_context(workers),
        "generator": torch.Generator().manual_seed(0),  # else the loader would draw from the global generator
    }
    if isinstance(samples, SampleStream):
        yield from Loading(DataLoader(_OfStream(read, samples), batch_size=None, **options))
        return
    for found in Loading(DataLoader(_OfSequence(read, samples), batch_size=chunk, collate_fn=list, **options)):
        yield from found


@dataclass(frozen=True, eq=False)
class _OfSequence(Dataset[Found], Generic[Found]):
    """By number."""

    read: Callable[[int, Sample], Found]
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Found:
        return self.read(number, self.samples[number])


@dataclass(frozen=True, eq=False)
class _OfStream(IterableDataset[Found], Generic[Found]):
    """One after another, shared among workers."""

    read: Callable[[int, Sample], Found]
    stream: SampleStream

    def __iter__(self) -> Iterator[Found]:
        worker = get_worker_info()
        index, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number, sample in self.stream.share(index, count):
            yield self.read(number, sample)
