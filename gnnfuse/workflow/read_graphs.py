"""The graphs of samples in order, with what could not be read of them: for answers, row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch.utils.data import DataLoader, Dataset

from gnnfuse.data.rejects import OnError, Reject
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.sample import Sample, SignalError, Unreadable


@dataclass(frozen=True)
class Read:
    """What came of one sample.

    Args:
        number: its place, from 0.
        id: its id.
        graph: its graph; None where it is left out.
        rejects: what could not be read.
    """

    number: int
    id: str
    graph: SampleGraph | None
    rejects: tuple[Reject, ...]


@dataclass(frozen=True)
class Reads(Dataset[Read]):
    """Samples as graphs, by place.

    Args:
        builder: makes the graphs; targets are not looked at.
        samples: what is read.
        on_error: "stop" raises at the first signal that cannot be read, "missing" takes it for absent, "skip" leaves
            the sample out.
    """

    builder: GraphBuilder
    samples: Sequence[Sample]
    on_error: OnError

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Read:
        sample = replace(self.samples[number].named(number), target=None)
        rejects: list[Reject] = []
        while True:
            try:
                return Read(number, str(sample.id), self.builder.graph(sample), tuple(rejects))
            except SignalError as error:
                signal = error.reason[1]
                value = sample.signals.get(signal)
                column = value.column if isinstance(value, Unreadable) and value.column else signal
                reason = f"found {error.reason[2]}, expected {error.reason[3]}"
                if self.on_error == "stop":
                    raise ValueError(f"row {number + 1}, {sample.id!r}, column {column!r}: {reason}") from error
                leaves_out = self.on_error == "skip"
                rejects.append(Reject(number + 1, str(sample.id), column, reason, leaves_out))
                if leaves_out:
                    return Read(number, str(sample.id), None, tuple(rejects))
                sample = replace(sample, signals={k: v for k, v in sample.signals.items() if k != signal})


def read_in_batches(
    builder: GraphBuilder, samples: Sequence[Sample], *, on_error: OnError, batch_size: int, workers: int
) -> Iterator[list[Read]]:
    """All samples in order, so many at once.

    Raises:
        ValueError: something cannot be read and `on_error` is "stop".
    """
    generator = torch.Generator().manual_seed(0)  # or the loader would draw from the global one
    batches: DataLoader[Read] = DataLoader(
        Reads(builder, samples, on_error),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=list,
        generator=generator,
    )
    yield from batches
