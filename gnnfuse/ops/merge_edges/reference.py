"""`merge_edges` in plain PyTorch: one table each gives the new positions of nodes and edges."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from gnnfuse.ops.edges import Edges, Transpose, offsets_of
from gnnfuse.ops.merge_edges.packed_edges import PackedEdges


def merge_edges_reference(graphs: Sequence[PackedEdges]) -> Edges:
    """As `merge_edges`."""
    parts = [graph.unpack() for graph in graphs]
    nodes = torch.tensor([graph.nodes for graph in graphs], dtype=torch.int64)  # [graphs, types]
    bounds = torch.nn.functional.pad(nodes.cumsum(1), (1, 0))
    incoming = torch.stack([part.offsets[ends].diff() for part, ends in zip(parts, bounds, strict=True)])
    outgoing = torch.stack([part.transpose.offsets[ends].diff() for part, ends in zip(parts, bounds, strict=True)])
    node, edge, back = places(nodes), places(incoming), places(outgoing)

    lengths = torch.tensor([graph.num_edges for graph in graphs])
    first_node = (nodes.sum(1).cumsum(0) - nodes.sum(1)).repeat_interleave(lengths)
    first_edge = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    transpose = Transpose(
        offsets_of(put(node, torch.cat([part.transpose.offsets.diff() for part in parts]))),
        put(back, edge[torch.cat([part.transpose.edge for part in parts]) + first_edge].int()),
        put(back, node[torch.cat([part.transpose.dst for part in parts]) + first_node].int()),
    )
    return Edges(
        offsets_of(put(node, torch.cat([part.offsets.diff() for part in parts]))),
        put(edge, node[torch.cat([part.src for part in parts]) + first_node].int()),
        put(edge, torch.cat([part.relation for part in parts])),
        transpose,
    )


def places(counts: Int[Tensor, "graphs types"]) -> Int[Tensor, "items"]:
    """The position, in a list type by type, of each item of a list graph by graph.

    Example:
        >>> places(torch.tensor([[1, 2], [1, 1]])).tolist()
        [0, 2, 3, 1, 4]
    """
    by_graph, by_type = counts.flatten(), counts.T.flatten()
    begin = by_graph.cumsum(0) - by_graph
    moved = (by_type.cumsum(0) - by_type).reshape(counts.T.shape).T.flatten()
    items = torch.repeat_interleave(moved - begin, by_graph)
    return items + torch.arange(len(items))


def put(places: Int[Tensor, "items"], items: Int[Tensor, "items"]) -> Int[Tensor, "items"]:
    """Every item at its place."""
    moved = torch.empty_like(items)
    moved[places] = items
    return moved
