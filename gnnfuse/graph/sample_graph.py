"""One sample's nodes and sorted edges, in its own numbering: made by a loader worker, merged by collating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.edges import Relation
from gnnfuse.nodes import NodeSet
from gnnfuse.ops import PackedEdges, edges_from_index, pack_edges
from gnnfuse.sample import EdgeList

OBJECTS = 1024  # bytes of Python overhead for a tensor or a graph
FAR = 2.0**14  # from here on float32 does not resolve a thousandth
NODES, PRESENT, DROPPED, SHAPE = range(4)  # columns of a type's sizes; its shape fills the rest


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class SampleGraph:
    """One sample's graph.

    Args:
        nodes: node type -> nodes, None where the signal is absent; times and positions as `to_float32` returns them.
        edges: its edges, the nodes numbered type by type.
        target: the encoded target, or None.
        id: the sample's id.
        sizes: `[numbers]`, the result of `measure`, so that a batch reads one array per sample.
        edge_data: relation number -> its edges with their weights and features, for relations that have any.
    """

    nodes: Mapping[str, NodeSet | None]
    edges: PackedEdges
    target: Tensor | None
    id: str | None
    sizes: NDArray[np.int64]
    edge_data: Mapping[int, EdgeList] = field(default_factory=dict)

    @property
    def num_bytes(self) -> int:
        """Memory in bytes, including shared tensors and Python's overhead."""
        found = [node_set for node_set in self.nodes.values() if node_set is not None]
        tensors = [
            self.edges.numbers,
            *(each for listed in self.edge_data.values() for each in (listed.weight, listed.features)),
            *(each for nodes in found for each in (nodes.values, nodes.position, nodes.time)),
        ]
        return OBJECTS + sum(OBJECTS + each.untyped_storage().nbytes() for each in tensors if each is not None)


def measure(nodes: Mapping[str, NodeSet | None], axes: Mapping[str, int]) -> NDArray[np.int64]:
    """Per node type: number of nodes, whether they are present, how many were dropped, and their shape.

    Args:
        nodes: node type -> nodes, at least for the types in `axes`.
        axes: node type -> length of its shape; the order is that of the result.

    Example:
        >>> measure({"text": NodeSet(torch.zeros(5), (5,)), "image": None}, {"image": 2, "text": 1}).tolist()
        [0, 0, 0, 0, 0, 5, 1, 0, 5]
    """
    sizes: list[int] = []
    for name, length in axes.items():
        found = nodes[name]
        sizes += (0,) * (SHAPE + length) if found is None else (found.num_nodes, 1, found.dropped, *found.shape)
    return np.array(sizes, dtype=np.int64)


def to_float32(nodes: Mapping[str, NodeSet | None]) -> Mapping[str, NodeSet | None]:
    """The nodes of one sample with float32 times and positions, once edges have been made from float64 ones.

    If the sample's earliest time is at `FAR` or beyond, all its times are relative to it. Likewise positions, per axis,
    to the lowest among all types with equally many coordinates. Encoders read differences of a few units; float32
    resolves a present-day time stamp only to 128 seconds.

    Example:
        >>> nodes = NodeSet(torch.zeros(1, 1), (1,), time=torch.tensor([[1.7e9, 1.7e9 + 0.5]], dtype=torch.float64))
        >>> found = to_float32({"sensor": nodes})["sensor"]
        >>> found.time.tolist(), found.time.dtype
        ([[0.0, 0.5]], torch.float32)
    """
    wide = [found for found in nodes.values() if found is not None and _is_wide(found)]
    if not wide:
        return nodes
    first = _origin([found.time[:, :1] for found in wide if found.time is not None])
    points = [found.position for found in wide if found.position is not None]
    lowest = {
        axes: _origin([each for each in points if each.shape[1] == axes]) for axes in {p.shape[1] for p in points}
    }
    return {
        name: found
        if found is None or not _is_wide(found)
        else replace(
            found,
            time=None if found.time is None else (found.time - first).float(),
            position=None if found.position is None else (found.position - lowest[found.position.shape[1]]).float(),
        )
        for name, found in nodes.items()
    }


def _is_wide(nodes: NodeSet) -> bool:
    return any(each is not None and each.dtype == torch.float64 for each in (nodes.time, nodes.position))


def _origin(parts: Sequence[Tensor]) -> Tensor:
    """The offset subtracted from each axis: the lowest number if that is far from 0, else 0."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return torch.zeros(1)
    lowest = torch.cat(filled).amin(dim=0)
    return torch.where(lowest.abs() < FAR, 0.0, lowest)


def sort_edges(
    found: Sequence[EdgeList],
    relations: Sequence[Relation],
    type_names: Sequence[str],
    counts: Sequence[int],
) -> tuple[PackedEdges, dict[int, EdgeList]]:
    """A sample's edges sorted by node, relation and source (nodes numbered type by type), and their data.

    Args:
        found: per relation its edges.
        relations: per relation its ends.
        type_names: the node types in the order of numbering.
        counts: nodes of each type.

    Returns:
        The edges; and relation number -> its edges with their weights and features in the same order, for relations
        that have any.
    """
    first = dict(zip(type_names, np.cumsum([0, *counts]).tolist(), strict=False))
    none = torch.zeros(2, 0, dtype=torch.int64)
    moved = [
        edges.index + torch.tensor([[first[relation.src]], [first[relation.dst]]])
        for edges, relation in zip(found, relations, strict=True)
    ]
    src, dst = torch.cat([none, *moved], dim=1)
    number = torch.repeat_interleave(torch.tensor([edges.index.shape[1] for edges in found], dtype=torch.int64))
    data = {
        place: _sorted(edges)
        for place, edges in enumerate(found)
        if edges.weight is not None or edges.features is not None
    }
    return pack_edges(edges_from_index(src, dst, number, num_nodes=sum(counts)), counts), data


def _sorted(edges: EdgeList) -> EdgeList:
    """The edges by destination, then source; parallel edges keep their order."""
    order = torch.from_numpy(np.lexsort(edges.index.numpy()))
    return EdgeList(edges.index[:, order], *(each if each is None else each[order] for each in edges[1:]))
