"""Samples made into graphs for training: once, or again in every epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from itertools import islice

import torch
from torch.utils.data import Dataset, Sampler

from gnnfuse.graph import BatchMemory, GraphBatch, GraphBuilder, SampleGraph
from gnnfuse.graph.check_samples import checked_sample
from gnnfuse.sample import Sample

LOOK = 64  # samples whose graphs are measured
TOGETHER = 32  # samples read type by type
Key = tuple[int, int]  # epoch and sample index


def prepare(
    builder: GraphBuilder, samples: Sequence[Sample], *, advance: Callable[[], object] | None = None
) -> list[SampleGraph]:
    """Read every sample once and keep its graph, so that training reads no file again.

    Args:
        builder: makes the graphs; models without edges can use them too.
        samples: what to read.
        advance: called after each sample, for a progress bar.

    Raises:
        SignalError: a signal cannot be read.
        ValueError: a sample has none of the signals that the builder reads.
    """
    graphs: list[SampleGraph] = []
    numbered = enumerate(samples)
    while some := list(islice(numbered, TOGETHER)):
        graphs += graphs_of(builder, some)
        for _ in some:
            if advance is not None:
                advance()
    return graphs


def graph_bytes(builder: GraphBuilder, samples: Sequence[Sample]) -> float:
    """The approximate memory that the graphs of samples take, in bytes, estimated from 64 evenly spread samples.

    Raises:
        SignalError: a signal cannot be read.
        ValueError: a sample has none of the signals that the builder reads.
    """
    places = sorted({len(samples) * number // LOOK for number in range(LOOK)} if len(samples) else ())
    found = [graph_of(builder, samples[place], place).num_bytes for place in places]
    return len(samples) * sum(found) / max(1, len(found))


def graph_of(
    builder: GraphBuilder,
    sample: Sample,
    place: int,
    *,
    augment: tuple[int, int, int] | None = None,
    memory: BatchMemory | None = None,
) -> SampleGraph:
    """A sample's graph; raises for a sample without a readable modality, which cannot be trained on or measured.

    Prediction for such a sample is defined.

    Args:
        builder: makes the graph.
        sample: the sample.
        place: names a sample that has no id.
        augment: as `GraphBuilder.graph` takes it.
        memory: as `GraphBuilder.graph` takes it.

    Raises:
        SignalError: a signal cannot be read.
        ValueError: the sample has none of the signals that the builder reads, or is no `Sample`.
    """
    return _showing(builder, builder.graph(checked_sample(sample).named(place), augment=augment, memory=memory))


def graphs_of(
    builder: GraphBuilder,
    samples: Sequence[tuple[int, Sample]],
    *,
    augment: tuple[int, int] | None = None,
    memory: BatchMemory | None = None,
) -> list[SampleGraph]:
    """As `graph_of` for each sample of a batch; samples without augmentation are read type by type.

    Augmented ones are not, because all their pictures would be in memory before any is cut into patches.

    Args:
        builder: makes the graphs.
        samples: each with its place.
        augment: (seed, epoch) of the random changes; None for none.
        memory: memory of the batch, as `GraphBuilder.graph` takes it.

    Raises:
        SignalError: a signal cannot be read.
        ValueError: a sample has none of the signals that the builder reads.
    """
    if augment is not None:
        return [graph_of(builder, sample, place, augment=(*augment, place), memory=memory) for place, sample in samples]
    graphs = builder.graphs([checked_sample(sample).named(place) for place, sample in samples], memory=memory)
    return [_showing(builder, graph) for graph in graphs]


def _showing(builder: GraphBuilder, graph: SampleGraph) -> SampleGraph:
    read = [node_type for node_type in builder.node_types if node_type.signal is not None]
    if all(graph.nodes[node_type.name] is None for node_type in read):
        expected = ", ".join(str(node_type.signal) for node_type in read)
        raise ValueError(f"sample {graph.id!r}: found no signal, expected at least one of {expected}")
    return graph


class GraphDataset(Dataset[SampleGraph]):
    """Graphs by (epoch, index).

    Prepared graphs are returned whole. `batch` drops the signals (`GraphBuilder.drop_signals`) that would be dropped
    from their samples.

    Args:
        builder: makes samples into graphs.
        samples: samples, or graphs that were prepared.
        augment_seed: seed of the random changes; None for none.

    Raises:
        ValueError: `samples` is no sequence, or prepared graphs are to be augmented by changing signals.
    """

    def __init__(
        self,
        builder: GraphBuilder,
        samples: Sequence[Sample] | Sequence[SampleGraph],
        *,
        augment_seed: int | None = None,
    ) -> None:
        if not isinstance(samples, Sized) or isinstance(samples, Mapping | GraphBatch | str):
            raise ValueError(
                f"found a {type(samples).__name__} as samples, expected a sequence of Sample objects, such as "
                "list(samples), or a gnnfuse.data.SampleStream for more than fit into memory"
            )
        prepared = len(samples) and isinstance(samples[0], SampleGraph)  # other samples may be read lazily
        if augment_seed is not None and prepared and builder.changing:
            changing = ", ".join(builder.changing)
            raise ValueError(f"augmentation changes signals ({changing}): found prepared graphs, expected samples")
        self.builder = builder
        self.samples = samples
        self.augment_seed = augment_seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> SampleGraph:
        epoch, index = key
        sample = self.samples[index]
        if isinstance(sample, SampleGraph):
            return sample
        augment = None if self.augment_seed is None else (self.augment_seed, epoch, index)
        return graph_of(self.builder, sample, index, augment=augment)

    def batch(self, keys: Sequence[Key]) -> GraphBatch:
        """The batch of samples, all of one epoch."""
        memory = self.builder.batch_memory(len(keys))
        found = [(index, self.samples[index]) for _, index in keys]
        samples = [(index, sample) for index, sample in found if isinstance(sample, Sample)]
        if len(samples) < len(keys):
            return self._left(self.builder.collate([self[key] for key in keys], memory=memory), keys)
        augment = None if self.augment_seed is None else (self.augment_seed, keys[0][0])
        return self.builder.collate(graphs_of(self.builder, samples, augment=augment, memory=memory), memory=memory)

    def _left(self, batch: GraphBatch, keys: Sequence[Key]) -> GraphBatch:
        """A batch of prepared graphs without the signals that augmentation drops."""
        if self.augment_seed is None or not self.builder.signal_dropout:
            return batch
        return self.builder.drop_signals(batch, [(self.augment_seed, *key) for key in keys])


class GraphParts(Dataset[GraphBatch]):
    """Batches by the keys of their samples.

    Args:
        graphs: the graphs of the samples.
    """

    def __init__(self, graphs: GraphDataset) -> None:
        self.graphs = graphs

    def __getitem__(self, keys: Sequence[Key]) -> GraphBatch:
        return self.graphs.batch(keys)


class EpochSampler(Sampler[Key]):
    """Every index once per epoch, in an order drawn from the seed and the epoch.

    The key carries the epoch, so that augmentation in a long-lived worker process can use it.

    Args:
        size: number of samples.
        seed: of the order; None keeps the given order.
    """

    def __init__(self, size: int, *, seed: int | None) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Key]:
        yield from ((self.epoch, index) for index in self.order().tolist())

    def order(self) -> torch.Tensor:
        """The indices in this epoch's order."""
        if self.seed is None:
            return torch.arange(self.size)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return torch.randperm(self.size, generator=generator)
