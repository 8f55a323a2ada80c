"""Searches the k nearest within each sample, block by block."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

GATHERED = 1 << 18  # distances up to which small samples share a block
PAIRS_AT_ONCE = 1 << 24  # distances in a block of one large sample


def nearest(
    src: Float[Tensor, "sources dim"],
    dst: Float[Tensor, "targets dim"],
    src_offsets: Int[Tensor, "graphs_plus_one"],
    dst_offsets: Int[Tensor, "graphs_plus_one"],
    *,
    k: int,
    without_self: bool = False,
) -> Int[Tensor, "2 edges"]:
    """(source, destination) of each destination's k nearest sources of its own sample, by Euclidean distance.

    The first sources win ties, so the result is the same everywhere. Each distance is computed separately, with the
    same bits in a batch and alone. Memory holds the distances of one block: all pairs of a few small samples, or some
    destinations of a large one.

    Args:
        src: `[sources, dim]`, sample by sample.
        dst: `[targets, dim]`, sample by sample.
        src_offsets: `[graphs + 1]`, where each sample's sources begin.
        dst_offsets: `[graphs + 1]`, where each sample's destinations begin.
        k: sources per destination; fewer if a sample has fewer.
        without_self: `src` and `dst` are the same nodes, and none is its own neighbour.

    Example:
        >>> points, one_sample = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([0, 3])
        >>> nearest(points, points, one_sample, one_sample, k=1, without_self=True).tolist()
        [[1, 0, 1], [0, 1, 2]]
    """
    src_graph, dst_graph = graph_of(src_offsets, len(src)), graph_of(dst_offsets, len(dst))
    found = [torch.zeros(2, 0, dtype=torch.int64, device=dst.device)]
    wide = torch.promote_types(src.dtype, torch.float32)  # no cdist in 16 bits
    src, dst = src.to(wide), dst.to(wide)
    for rows, columns in blocks(dst_offsets.tolist(), src_offsets.tolist()):
        distance = torch.cdist(dst[rows], src[columns], compute_mode="donot_use_mm_for_euclid_dist")
        distance.masked_fill_(dst_graph[rows, None] != src_graph[columns], torch.inf)
        if without_self:
            shift = rows.start - columns.start
            distance.diagonal(shift).fill_(torch.inf)
        row, column = chosen(distance, k).nonzero().T
        found.append(torch.stack([column + columns.start, row + rows.start]))
    return torch.cat(found, dim=1)


def chosen(distance: Float[Tensor, "rows columns"], k: int) -> Tensor:
    """Booleans `[rows, columns]`: the k smallest finite entries of each row; the first win ties."""
    limit = distance.topk(min(k, distance.shape[1]), largest=False).values[:, -1:]
    below, equal = distance < limit, (distance == limit) & distance.isfinite()
    room = k - below.sum(1, keepdim=True)
    return (below & distance.isfinite()) | (equal & (equal.cumsum(1) <= room))


def graph_of(offsets: Int[Tensor, "graphs_plus_one"], nodes: int) -> Int[Tensor, "nodes"]:
    """The sample of each node."""
    return torch.repeat_interleave(offsets.diff(), output_size=nodes)


def blocks(dst_offsets: Sequence[int], src_offsets: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Destinations and sources to compare: whole samples together while they are small, parts of large ones."""
    first, graphs = 0, len(dst_offsets) - 1
    while first < graphs:
        last = first + 1
        while last < graphs and _pairs(dst_offsets, src_offsets, first, last + 1) <= GATHERED:
            last += 1
        columns = slice(src_offsets[first], src_offsets[last])
        if columns.stop > columns.start:
            step = max(1, PAIRS_AT_ONCE // (columns.stop - columns.start))
            for begin in range(dst_offsets[first], dst_offsets[last], step):
                yield slice(begin, min(begin + step, dst_offsets[last])), columns
        first = last


def _pairs(dst_offsets: Sequence[int], src_offsets: Sequence[int], first: int, last: int) -> int:
    return (dst_offsets[last] - dst_offsets[first]) * (src_offsets[last] - src_offsets[first])
