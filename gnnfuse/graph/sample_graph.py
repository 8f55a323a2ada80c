"""One sample's nodes and sorted edges, in its own numbering: what a loader worker makes and collating merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.edges import Relation
from gnnfuse.nodes import NodeSet
from gnnfuse.ops import PackedEdges, edges_from_index, pack_edges

OBJECTS = 1024  # bytes for a tensor as Python's object, or for a graph
NODES, PRESENT, DROPPED, SHAPE = range(4)  # columns of a type's sizes; its shape takes the rest


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class SampleGraph:
    """One sample's graph.

    Args:
        nodes: node type -> nodes, None where the signal is absent.
        edges: its edges, the nodes numbered type by type.
        target: the encoded target, or None.
        id: the sample's id.
        sizes: `[numbers]`, what `measure` finds in the nodes: a batch then asks each sample for one array.
    """

    nodes: Mapping[str, NodeSet | None]
    edges: PackedEdges
    target: Tensor | None
    id: str | None
    sizes: NDArray[np.int64]

    @property
    def num_bytes(self) -> int:
        """Memory that it takes, that of a tensor it shares included: the numbers, and what Python adds."""
        found = [node_set for node_set in self.nodes.values() if node_set is not None]
        tensors = [
            self.edges.numbers,
            *(each for nodes in found for each in (nodes.values, nodes.position, nodes.time)),
        ]
        return OBJECTS + sum(OBJECTS + each.untyped_storage().nbytes() for each in tensors if each is not None)


def measure(nodes: Mapping[str, NodeSet | None], axes: Mapping[str, int]) -> NDArray[np.int64]:
    """Per node type: number of nodes, whether they are present, how many were dropped, and their shape.

    Args:
        nodes: node type -> nodes, at least for the types asked for.
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


def sort_edges(
    found: Sequence[Int[Tensor, "2 _"] | None],
    relations: Sequence[Relation],
    type_names: Sequence[str],
    counts: Sequence[int],
) -> PackedEdges:
    """Sort a sample's edges by node, relation and source, its nodes numbered type by type.

    Args:
        found: per relation the (source, destination) pairs, None where an end is absent.
        relations: per relation its ends.
        type_names: the node types in the order of numbering.
        counts: nodes of each type.
    """
    first = dict(zip(type_names, np.cumsum([0, *counts]).tolist(), strict=False))
    none = torch.zeros(2, 0, dtype=torch.int64)
    pairs = [none if edges is None else edges for edges in found]
    moved = [
        edges + torch.tensor([[first[relation.src]], [first[relation.dst]]])
        for edges, relation in zip(pairs, relations, strict=True)
    ]
    src, dst = torch.cat([none, *moved], dim=1)
    number = torch.repeat_interleave(torch.tensor([edges.shape[1] for edges in pairs], dtype=torch.int64))
    return pack_edges(edges_from_index(src, dst, number, num_nodes=sum(counts)), counts)
