"""One sample's nodes and sorted edges, in its own numbering: what a loader worker makes and collating merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.edges import Relation
from gnnfuse.nodes import NodeSet


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class Block:
    """The edges into (or out of) one node type, sorted by node, relation and other end.

    Args:
        counts: `[nodes of the type]`, int64, edges per node.
        other: `[edges]`, int32, number of the node at the other end, within its own type.
        relation: `[edges]`, int32.
        place: `[edges]`, int32; in a block of outgoing edges, where the edge stands in its destination's block.
    """

    counts: Int[Tensor, "nodes"]
    other: Int[Tensor, "edges"]
    relation: Int[Tensor, "edges"]
    place: Int[Tensor, "edges"] | None = None


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class SampleEdges:
    """All edges of one sample: per node type the incoming and the outgoing block."""

    incoming: tuple[Block, ...]
    outgoing: tuple[Block, ...]


@dataclass(frozen=True, eq=False)  # tensors compare entry by entry: identity is all that equality can mean
class SampleGraph:
    """One sample's graph.

    Args:
        nodes: node type -> nodes, None where the signal is absent.
        edges: its edges.
        target: the encoded target, or None.
        id: the sample's id.
    """

    nodes: Mapping[str, NodeSet | None]
    edges: SampleEdges
    target: Tensor | None
    id: str | None


def sort_edges(
    found: Sequence[Int[Tensor, "2 _"] | None],
    relations: Sequence[Relation],
    type_names: Sequence[str],
    counts: Sequence[int],
) -> SampleEdges:
    """Sort a sample's edges into blocks.

    Args:
        found: per relation the (source, destination) pairs, None where an end is absent.
        relations: per relation its ends.
        type_names: the node types in the order of numbering.
        counts: nodes of each type.
    """
    number = {name: index for index, name in enumerate(type_names)}
    pairs = [torch.zeros(2, 0, dtype=torch.int64) if edges is None else edges for edges in found]
    lengths = torch.tensor([edges.shape[1] for edges in pairs], dtype=torch.int64)
    relation = torch.repeat_interleave(lengths)
    src, dst = torch.cat([torch.zeros(2, 0, dtype=torch.int64), *pairs], dim=1)
    src_type = torch.tensor([number[r.src] for r in relations], dtype=torch.int64)[relation]
    dst_type = torch.tensor([number[r.dst] for r in relations], dtype=torch.int64)[relation]
    first = torch.tensor([0, *counts], dtype=torch.int64).cumsum(0)
    total, num_relations = int(first[-1]), max(1, len(relations))
    src_node, dst_node = src + first[src_type], dst + first[dst_type]

    forward = ((dst_node * num_relations + relation) * max(1, total) + src_node).argsort(stable=True)
    place = torch.empty_like(forward)
    place[forward] = torch.arange(len(forward))
    edges_before = torch.zeros(len(counts) + 1, dtype=torch.int64)
    torch.cumsum(torch.bincount(dst_type, minlength=len(counts)), 0, out=edges_before[1:])
    place -= edges_before[dst_type]
    backward = ((src_node * num_relations + relation) * max(1, total) + dst_node).argsort(stable=True)

    def blocks(order: Tensor, node: Tensor, node_type: Tensor, other: Tensor, places: Tensor | None) -> list[Block]:
        per_node = torch.split_with_sizes(torch.bincount(node, minlength=total), list(counts))
        per_type = torch.bincount(node_type, minlength=len(counts)).tolist()
        others, kinds = (torch.split_with_sizes(part[order].int(), per_type) for part in (other, relation))
        where = [None] * len(counts) if places is None else torch.split_with_sizes(places[order].int(), per_type)
        return [Block(*parts) for parts in zip(per_node, others, kinds, where, strict=True)]

    return SampleEdges(
        tuple(blocks(forward, dst_node, dst_type, src, None)), tuple(blocks(backward, src_node, src_type, dst, place))
    )
