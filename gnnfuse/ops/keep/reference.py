"""`keep_rows` and `keep_edges` in plain PyTorch: cumulative sums give the new positions of rows, nodes and edges."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gnnfuse.ops.edges import Edges, Transpose, offsets_of


def keep_rows_reference(
    masks: Sequence[Bool[Tensor, "_"]], offsets: Sequence[Int[Tensor, "_"]]
) -> list[tuple[Tensor, Tensor, bool, Tensor | None]]:
    """The fields of `KeptRows`, as for `keep_rows`."""
    ends, emptied, found = [], [], []
    for mask, groups in zip(masks, offsets, strict=True):
        after = offsets_of(mask)[groups]
        had, left = groups.diff(), after.diff()
        ends.append(after)
        emptied.append((left == 0) & (had > 0))
        found.append(torch.stack([after[-1], ((left > 0) & (left < had)).any(), emptied[-1].any()]))
    return [
        (torch.nonzero_static(mask, size=count)[:, 0], after, some > 0, empty if every else None)
        for mask, after, empty, (count, some, every) in zip(
            masks, ends, emptied, torch.stack(found).tolist(), strict=True
        )
    ]


def keep_edges_reference(edges: Edges, nodes: Bool[Tensor, "nodes"], kept: Bool[Tensor, "edges"] | None) -> Edges:
    """As `keep_edges`."""
    stays = edges_between(edges, nodes, kept)
    back = stays[edges.transpose.edge]
    node, edge, place = offsets_of(nodes), offsets_of(stays), offsets_of(back)
    num_nodes, num_edges = torch.stack([node[-1], edge[-1]]).tolist()
    some = torch.nonzero_static(nodes, size=num_nodes)[:, 0]
    forward, backward = (torch.nonzero_static(mask, size=num_edges)[:, 0] for mask in (stays, back))
    total = edge[-1:]
    transpose = Transpose(
        torch.cat([place[edges.transpose.offsets[some]], total]),
        edge[edges.transpose.edge[backward]].int(),
        node[edges.transpose.dst[backward]].int(),
    )
    return Edges(
        torch.cat([edge[edges.offsets[some]], total]),
        node[edges.src[forward]].int(),
        edges.relation[forward],
        transpose,
    )


def edges_between(
    edges: Edges, nodes: Bool[Tensor, "nodes"], kept: Bool[Tensor, "edges"] | None = None
) -> Bool[Tensor, "edges"]:
    """Whether each edge stays, in the forward order: its two nodes and the edge itself must stay.

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> edges = edges_from_index(torch.tensor([0, 2]), torch.tensor([1, 1]), num_nodes=3)
        >>> edges_between(edges, torch.tensor([False, True, True])).tolist()
        [False, True]
    """
    stays = nodes[edges.src] & nodes[edges.dst()]
    return stays if kept is None else stays & kept
