"""Reading samples for encoding: the content of each, and its nodes if they are not cached yet."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.nodes import PretrainedNodes
from gnnfuse.nodes.cached import KeyIndex
from gnnfuse.reading.read_in_order import read_in_order
from gnnfuse.reading.reading import column_and_reason
from gnnfuse.reading.worker import worker_start
from gnnfuse.sample import Sample, SignalError

CHUNK = 8  # readings that a worker hands over at once


@dataclass(frozen=True)
class ContentReading:
    """The result of reading one sample for one node type.

    Args:
        number: the sample's number among all, from 0.
        id: its id, or its number.
        key: digest of its content; None if the signal is absent or cannot be opened at all.
        packed: its graph, pickled (each tensor sent from a worker would hold a file descriptor); None if the features
            are cached, or the signal is absent or unreadable.
        reason: why the signal cannot be read.
    """

    number: int
    id: str
    key: bytes | None = None
    packed: bytes | None = None
    reason: str | None = None

    @property
    def graph(self) -> SampleGraph:
        """The sample's nodes."""
        assert self.packed is not None
        found = pickle.loads(self.packed)
        assert isinstance(found, SampleGraph)
        return found


@dataclass(frozen=True, eq=False)
class ContentReader:
    """Reads one sample after another.

    Args:
        builder: a builder of this node type alone.
        node_type: the node type whose signal is read.
        known: contents whose features are cached: they are not decoded.
    """

    builder: GraphBuilder
    node_type: PretrainedNodes
    known: KeyIndex

    def read(self, number: int, sample: Sample) -> ContentReading:
        """The content and, if it is not cached, the nodes.

        Raises:
            ValueError: nodes that contradict their type.
        """
        named, key = Sample(sample.signals, None, sample.id).named(number), None
        assert named.id is not None
        try:
            key = self.node_type.content(named)
            if key is None or key in self.known:
                return ContentReading(number, named.id, key)
            graph = self.builder.graph(named)
            changed = self.node_type.content(named) != key
        except SignalError as error:
            return ContentReading(number, named.id, key, reason=column_and_reason(error)[1])
        if changed:
            return ContentReading(number, named.id, reason="found a file that was changed while it was read")
        return ContentReading(number, named.id, key, pickle.dumps(graph, pickle.HIGHEST_PROTOCOL))


def content_readings(
    builder: GraphBuilder,
    node_type: PretrainedNodes,
    samples: Sequence[Sample] | SampleStream,
    known: KeyIndex,
    workers: int,
) -> Iterator[ContentReading]:
    """A reading per sample, in the order of samples.

    Args:
        builder: a builder of this node type alone.
        node_type: the node type whose signal is read.
        samples: the samples to read.
        known: contents whose features are cached.
        workers: loader processes; 0 reads in this process.
    """
    reader = ContentReader(builder, node_type, known)
    return read_in_order(reader.read, samples, workers=workers, chunk=CHUNK, start=worker_start())
