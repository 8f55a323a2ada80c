"""Whether a sample can be read for a builder, and what of it cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset, IterableDataset, get_worker_info

from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.graph import GraphBuilder
from gnnfuse.sample import Sample, SignalError, Unreadable


@dataclass(frozen=True)
class Reading:
    """What came of reading one sample; holds no data.

    Args:
        number: the sample's number among all, from 0.
        id: its id, if it has one.
        bad: signal -> (column, reason) of signals that cannot be read.
        present: signals that can.
        target: the class name, tuple of class names, numbers, None, or why it cannot be read (`Unreadable`).
    """

    number: int
    id: str | None
    bad: dict[str, tuple[str, str]]
    present: frozenset[str]
    target: object


def read_once(builder: GraphBuilder, number: int, sample: Sample) -> Reading:
    """Read every signal that the builder's node types read, each by itself, so that all that is wrong is found."""
    named = sample.named(number)
    bad: dict[str, tuple[str, str]] = {}
    present = set()
    for node_type in builder.node_types:
        signal = node_type.signal
        if signal is None or signal in bad:
            continue
        try:
            if node_type.nodes(named) is not None:
                present.add(signal)
        except SignalError as error:
            value = sample.signals.get(error.reason[1])
            column = value.column if isinstance(value, Unreadable) and value.column else error.reason[1]
            bad[signal] = (column, f"found {error.reason[2]}, expected {error.reason[3]}")
    return Reading(number, sample.id, bad, frozenset(present - bad.keys()), _told(builder, named))


def _told(builder: GraphBuilder, sample: Sample) -> object:
    """The target, or why it cannot be used; whether it can be encoded is asked where the builder knows how."""
    if builder.target is None or sample.target is None or isinstance(sample.target, Unreadable):
        return sample.target
    try:
        builder.target.encode(sample)
    except ValueError as error:
        return Unreadable(str(error), "a target that can be encoded")
    return sample.target


@dataclass(frozen=True)
class SequenceReadings(Dataset[Reading]):
    """Readings by number, for loader workers.

    Args:
        builder: whose node types read.
        samples: what is read.
    """

    builder: GraphBuilder
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Reading:
        return read_once(self.builder, number, self.samples[number])


@dataclass(frozen=True)
class StreamReadings(IterableDataset[Reading]):
    """Readings in the order of numbers, shared among loader workers.

    Args:
        builder: whose node types read.
        stream: what is read.
    """

    builder: GraphBuilder
    stream: SampleStream

    def __iter__(self) -> Iterator[Reading]:
        worker = get_worker_info()
        index, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number, sample in self.stream.share(index, count):
            yield read_once(self.builder, number, sample)
