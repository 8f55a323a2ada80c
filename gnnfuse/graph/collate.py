"""Merges sample graphs into a batch by offsets and concatenation, without Python loops over nodes or edges."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.edges import Relation
from gnnfuse.graph.batch_memory import BatchMemory
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.sample_graph import DROPPED, NODES, PRESENT, SHAPE, SampleGraph, measure
from gnnfuse.nodes import Layout, NodeSet
from gnnfuse.ops import Edges, PackedEdges, Transpose, merge_edges
from gnnfuse.ops.cpu.one_block import empty_in_one_block


def stacked(targets: Sequence[Tensor]) -> Tensor:
    """Targets of one shape as one tensor."""
    return torch.stack(list(targets))


def collate(
    graphs: Sequence[SampleGraph],
    empties: Mapping[str, NodeSet],
    modalities: tuple[str, ...],
    relations: tuple[Relation, ...],
    *,
    join: Callable[[Sequence[Tensor]], Tensor | Ragged] = stacked,
    merge: Callable[[Sequence[PackedEdges]], Edges] = merge_edges,
    memory: BatchMemory | None = None,
) -> GraphBatch:
    """Number the nodes of all samples type by type and merge their edges.

    Args:
        graphs: the samples' graphs, with at least these node types and exactly these relations.
        empties: node type -> a set without nodes, in the order of numbering.
        modalities: the node types that are read from a signal.
        relations: in the order of numbering; none leaves the graphs' edges out.
        join: joins the samples' targets (`TargetEncoding.collate`).
        merge: `gnnfuse.ops.merge_edges`, or an equivalent.
        memory: where the samples' values may have been written.

    Raises:
        ValueError: no sample, or only some of the samples have a target.
    """
    if not graphs:
        raise ValueError("a batch needs at least one sample, found none")
    sizes = _sizes(graphs, empties)
    graph_ids = _graph_ids([of_type[NODES] for of_type in sizes.values()])
    found = {
        name: [nodes for graph in graphs if (nodes := graph.nodes[name]) is not None] or [empty]
        for name, empty in empties.items()
    }
    layouts = {
        name: _layout(found[name], graph_id, sizes[name]) for graph_id, name in zip(graph_ids, empties, strict=False)
    }
    values = _values({name: [nodes.values for nodes in sets] for name, sets in found.items()}, memory)
    present = np.array([sizes[name][PRESENT] for name in modalities], dtype=bool).reshape(-1, len(graphs))
    edges = merge([graph.edges for graph in graphs]) if relations else _no_edges(len(graph_ids[-1]))
    return GraphBatch(
        values=values,
        layout=layouts,
        edges=edges,
        relations=relations,
        graph_id=graph_ids[-1],
        num_graphs=len(graphs),
        target=_merge_targets(graphs, join),
        ids=tuple([str(place) if graph.id is None else graph.id for place, graph in enumerate(graphs)]),
        modalities=modalities,
        present=torch.from_numpy(np.ascontiguousarray(present.T)),
        edge_weight=_edge_weight(graphs, edges, relations),
        edge_features=_edge_features(graphs, relations),
    )


def empty_batch(
    empties: Mapping[str, NodeSet], modalities: tuple[str, ...], relations: tuple[Relation, ...]
) -> GraphBatch:
    """A batch of no sample, with these node types and relations."""
    none = torch.zeros(0, dtype=torch.int64)
    layouts = {
        name: _layout([empty], none, np.zeros((SHAPE + len(empty.shape), 0), dtype=np.int64))
        for name, empty in empties.items()
    }
    return GraphBatch(
        values={name: empty.values for name, empty in empties.items()},
        layout=layouts,
        edges=_no_edges(0),
        relations=relations,
        graph_id=none,
        num_graphs=0,
        target=None,
        ids=(),
        modalities=modalities,
        present=torch.zeros(0, len(modalities), dtype=torch.bool),
        edge_features=_edge_features((), relations),
    )


def _sizes(graphs: Sequence[SampleGraph], empties: Mapping[str, NodeSet]) -> dict[str, NDArray[np.int64]]:
    """Per node type `[columns, graphs]`."""
    names, axes = list(empties), {name: len(empty.shape) for name, empty in empties.items()}
    found = [graph.sizes if list(graph.nodes) == names else measure(graph.nodes, axes) for graph in graphs]
    table = np.ascontiguousarray(np.concatenate(found).reshape(len(graphs), -1).T)
    ends = list(accumulate(SHAPE + length for length in axes.values()))
    return {name: table[begin:end] for name, (begin, end) in zip(names, pairwise([0, *ends]), strict=True)}


def _graph_ids(counts: list[NDArray[np.int64]]) -> list[Tensor]:
    """Each node's graph, per type and for all types; they share memory."""
    graphs = np.arange(len(counts[0]))
    everyone = np.concatenate([graphs] * len(counts)).repeat(np.concatenate(counts))
    ends = np.cumsum([0, *(of_type.sum() for of_type in counts)])
    return [*(torch.from_numpy(everyone[begin:end]) for begin, end in pairwise(ends)), torch.from_numpy(everyone)]


def _layout(found: Sequence[NodeSet], graph_id: Tensor, sizes: NDArray[np.int64]) -> Layout:
    offsets = np.zeros(sizes.shape[1] + 1, dtype=np.int64)
    np.cumsum(sizes[NODES], out=offsets[1:])
    return Layout(
        graph_id=graph_id,
        offsets=torch.from_numpy(offsets),
        shape=torch.from_numpy(sizes[SHAPE:].T.copy()),
        position=None if found[0].position is None else torch.cat([cast(Tensor, nodes.position) for nodes in found]),
        time=None if found[0].time is None else torch.cat([cast(Tensor, nodes.time) for nodes in found]),
        dropped=torch.from_numpy(sizes[DROPPED].copy()),
    )


def _values(parts: Mapping[str, Sequence[Tensor]], memory: BatchMemory | None) -> dict[str, Tensor]:
    """Each type's values end to end, copied if they are not already contiguous."""
    joined = {name: None if memory is None else memory.joined(name, tensors) for name, tensors in parts.items()}
    copied = iter(_cat([parts[name] for name, found in joined.items() if found is None]))
    return {name: next(copied) if found is None else found for name, found in joined.items()}


def _cat(lists: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Each list's tensors end to end."""
    every = [part for parts in lists for part in parts]
    if any(part.requires_grad or part.device.type != "cpu" for part in every):
        return [torch.cat(list(parts)) for parts in lists]
    shapes = [(sum(part.shape[0] for part in parts), *parts[0].shape[1:]) for parts in lists]
    merged = empty_in_one_block([(shape, parts[0].dtype) for shape, parts in zip(shapes, lists, strict=True)])
    return [torch.cat(list(parts), out=out) for parts, out in zip(lists, merged, strict=True)]


def _merge_targets(
    graphs: Sequence[SampleGraph], join: Callable[[Sequence[Tensor]], Tensor | Ragged]
) -> Tensor | Ragged | None:
    targets = [graph.target for graph in graphs if graph.target is not None]
    if not targets:
        return None
    if len(targets) < len(graphs):
        without = next(graph.id for graph in graphs if graph.target is None)
        raise ValueError(f"sample {without!r}: found no target, expected one, as other samples of the batch have")
    return join(targets)


def _edge_weight(graphs: Sequence[SampleGraph], edges: Edges, relations: tuple[Relation, ...]) -> Tensor | None:
    """`[edges]`; None if no relation has weights. A relation's edges are in the order of the graphs, as in theirs."""
    numbers = range(len(relations))
    weighted = [number for number in numbers if (of := graphs[0].edge_data.get(number)) and of.weight is not None]
    if not weighted:
        return None
    weight = torch.ones(edges.num_edges)
    for number in weighted:
        weight[edges.relation == number] = torch.cat([cast(Tensor, graph.edge_data[number].weight) for graph in graphs])
    return weight


def _edge_features(graphs: Sequence[SampleGraph], relations: tuple[Relation, ...]) -> dict[Relation, Tensor]:
    return {
        relation: torch.cat(
            [torch.zeros(0, relation.features), *(cast(Tensor, graph.edge_data[number].features) for graph in graphs)]
        )
        for number, relation in enumerate(relations)
        if relation.features
    }


def _no_edges(nodes: int) -> Edges:
    offsets, none = torch.zeros(nodes + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int32)
    return Edges(offsets, none, none, Transpose(offsets, none, none))
