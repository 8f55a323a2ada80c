"""Samples on their way into training: prepared once, or anew in every epoch."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from gnnfuse.graph import GraphBatch, GraphBuilder, SampleGraph
from gnnfuse.sample import Sample
from gnnfuse.train.fit_config import FitConfig

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
    for place, sample in enumerate(samples):
        graphs.append(_with_signal(builder.graph(sample.named(place)), builder))
        if advance is not None:
            advance()
    return graphs


class GraphDataset(Dataset[SampleGraph]):
    """Graphs by (epoch, index).

    Args:
        builder: makes samples into graphs.
        samples: samples, or graphs that were prepared.
        augment_seed: seed of the random changes, None for none.

    Raises:
        ValueError: prepared graphs are to be augmented.
    """

    def __init__(
        self,
        builder: GraphBuilder,
        samples: Sequence[Sample] | Sequence[SampleGraph],
        *,
        augment_seed: int | None = None,
    ) -> None:
        if augment_seed is not None and any(isinstance(sample, SampleGraph) for sample in samples):
            raise ValueError("augmentation changes signals: found prepared graphs, expected samples")
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
        return _with_signal(self.builder.graph(sample.named(index), augment=augment), self.builder)


def _with_signal(graph: SampleGraph, builder: GraphBuilder) -> SampleGraph:
    """Refuse to learn from, or be measured on, a sample that shows nothing; predicting for one is defined."""
    read = [node_type for node_type in builder.node_types if node_type.signal is not None]
    if all(graph.nodes[node_type.name] is None for node_type in read):
        expected = ", ".join(str(node_type.signal) for node_type in read)
        raise ValueError(f"sample {graph.id!r}: found no signal, expected at least one of {expected}")
    return graph


class EpochSampler(Sampler[Key]):
    """Every index once per epoch, in an order drawn from the seed and the epoch.

    The key carries the epoch, so that augmentation in a long-lived worker process knows it.

    Args:
        size: number of samples.
        seed: of the order; None keeps the order as it is.
    """

    def __init__(self, size: int, *, seed: int | None) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Key]:
        if self.seed is None:
            order = torch.arange(self.size)
        else:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.size, generator=generator)
        yield from ((self.epoch, index) for index in order.tolist())


def loader(
    builder: GraphBuilder,
    samples: Sequence[Sample] | Sequence[SampleGraph],
    config: FitConfig,
    *,
    training: bool,
    pin_memory: bool = False,
) -> DataLoader[GraphBatch]:
    """Batches of samples; shuffled and, if the config says so, augmented for training.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError(f"found no {'training' if training else 'evaluation'} samples, expected at least one")
    augment_seed = config.seed if training and config.augment else None
    dataset = GraphDataset(builder, samples, augment_seed=augment_seed)
    batches: DataLoader[GraphBatch] = DataLoader(
        dataset,  # type: ignore[arg-type]  # collate_fn turns its graphs into batches
        batch_size=config.batch_size,
        sampler=EpochSampler(len(samples), seed=config.seed if training else None),
        collate_fn=builder.collate,
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(config.seed),
    )
    return batches
