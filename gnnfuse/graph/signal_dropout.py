"""Drops signals: draws which ones at random, and removes them from batches."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.keep import check_mask, keep
from gnnfuse.graph.ragged import Ragged
from gnnfuse.nodes import NodeType
from gnnfuse.sample import Sample


def drawn_signals(names: Iterable[str], probability: float, generator: torch.Generator) -> set[str]:
    """The signals of a sample to leave out, each with this probability; one, drawn at random, always stays.

    Example:
        >>> drawn_signals({"text", "image"}, 0.99, torch.Generator().manual_seed(0))
        {'text'}
    """
    ordered = sorted(names)
    if len(ordered) < 2:
        return set()
    stays = int(torch.randint(len(ordered), (), generator=generator))
    leave = (torch.rand(len(ordered), generator=generator) < probability).tolist()
    return {name for place, name in enumerate(ordered) if leave[place] and place != stays}


def dropped_from(
    sample: Sample, node_types: Sequence[NodeType], probability: float, generator: torch.Generator
) -> Sample:
    """The sample without the signals that `drawn_signals` draws from those that are read."""
    read = {node_type.signal for node_type in node_types}
    gone = drawn_signals((name for name in sample.signals if name in read), probability, generator)
    kept = {name: signal for name, signal in sample.signals.items() if name not in gone}
    return Sample(kept, sample.target, sample.id)


def loses_target(target: Tensor | Ragged, node_types: Sequence[NodeType], gone: Collection[str]) -> bool:
    """Whether a sample's target has one row per node of a type that has no nodes without the given signals."""
    lost = {node_type.name for node_type in node_types if needed_signal(node_type) in gone}
    return isinstance(target, Ragged) and target.of in lost


def leave_out(
    batch: GraphBatch, node_types: Sequence[NodeType], signals: Bool[Tensor, "graphs modalities"]
) -> GraphBatch:
    """As `GraphBuilder.without`."""
    check_mask("signals", signals, tuple(batch.present.shape), batch.present.device)
    if set(batch.node_types) != {node_type.name for node_type in node_types}:
        names = sorted(node_type.name for node_type in node_types)
        raise ValueError(f"found a batch of node types {sorted(batch.node_types)}, expected {names} as the builder has")
    column = dict(zip(batch.modalities, signals.T, strict=True))
    of_signal: dict[str, Tensor] = {}
    for node_type in node_types:
        if node_type.signal is not None:
            own = column[node_type.name]
            of_signal[node_type.signal] = own | of_signal.get(node_type.signal, own)
    absent = {}
    for node_type in node_types:
        needs = needed_signal(node_type)
        if needs is not None and needs in of_signal:
            absent[node_type.name] = of_signal[needs]
    nodes = {name: ~gone[batch.layout[name].graph_id] for name, gone in absent.items()}
    return keep(batch, nodes, absent=absent)


def needed_signal(node_type: NodeType) -> str | None:
    """The signal without which the type has no nodes; None if it needs none."""
    return node_type.follows() if node_type.signal is None else node_type.signal


def drawn_of_batch(
    batch: GraphBatch, node_types: Sequence[NodeType], probability: float, generators: Sequence[torch.Generator]
) -> Bool[Tensor, "graphs modalities"]:
    """The signals that `drawn_signals` leaves out of each sample of a batch.

    Args:
        batch: of samples that were not augmented.
        node_types: of its builder.
        probability: as for `drawn_signals`.
        generators: one per sample.

    Raises:
        ValueError: another number of generators than of samples.
    """
    if len(generators) != len(batch):
        raise ValueError(f"augment: found {len(generators)} samples, expected {len(batch)} as the batch has")
    signal_of = {node_type.name: str(node_type.signal) for node_type in node_types}
    read = [signal_of[name] for name in batch.modalities]
    rows = []
    for generator, present in zip(generators, batch.present.tolist(), strict=True):
        names = {signal for signal, here in zip(read, present, strict=True) if here}
        gone = drawn_signals(names, probability, generator)
        rows.append([signal in gone for signal in read])
    return torch.tensor(rows, dtype=torch.bool, device=batch.device).view(batch.present.shape)


def seed_of(*numbers: int) -> int:
    """A seed that depends on all of them."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
