"""Edges that read one row per (relation, node) pair, for keys and values that differ by relation."""

from collections.abc import Sequence

import torch

from gnnfuse.ops.check_edges import CHECK_ON_DEVICE, check_range
from gnnfuse.ops.edges import MAX_COUNT, Edges, Transpose, offsets_of


def relation_rows(edges: Edges, spans: Sequence[tuple[int, int]]) -> Edges:
    """The same edges, reading from rows laid out relation by relation.

    The rows of relation r are those of the nodes `start_r:stop_r`, after the rows of the relations before it. The
    transpose is sorted by (relation, source), as the rows are. Nothing is sorted: counts give every edge's position.

    Args:
        edges: from nodes into nodes.
        spans: per relation (start, stop), the nodes that contain its sources: their type's slice.

    Raises:
        ValueError: a span is not inside the nodes, there would be more rows than int32 can number, or an edge's
            relation has no span or its source lies outside (on accelerators: within `checked_indices()`).

    Example:
        >>> from gnnfuse.ops import edges_from_index
        >>> ends = torch.tensor([0, 1]), torch.tensor([1, 1])
        >>> edges = edges_from_index(*ends, relation=torch.tensor([0, 1]), num_nodes=2)
        >>> relation_rows(edges, [(0, 2), (0, 2)]).src.tolist()
        [0, 3]
    """
    nodes = edges.transpose.offsets.numel() - 1
    wrong = [span for span in spans if not 0 <= span[0] <= span[1] <= nodes]
    if wrong:
        raise ValueError(f"spans must be (start, stop) within 0..{nodes}, found {wrong[0]}")
    sizes = [stop - start for start, stop in spans]
    if sum(sizes) > MAX_COUNT:
        raise ValueError(f"rows are numbered in int32, up to {MAX_COUNT}; found {sum(sizes)}")
    check_spans(edges, spans)
    device = edges.src.device
    shift, before = [], 0
    for (start, _), size in zip(spans, sizes, strict=True):
        shift.append(before - start)
        before += size
    shifts = torch.tensor(shift or [0], dtype=torch.int64, device=device)

    row = edges.src + shifts[edges.relation]
    relation = edges.relation[edges.transpose.edge]
    source = torch.repeat_interleave(edges.transpose.offsets.diff(), output_size=edges.num_edges)
    target = source + shifts[relation]  # by (source, relation), as the old transpose is sorted
    # Not bincount, whose length torch.compile cannot know.
    counts = torch.zeros(before, dtype=torch.int64, device=device).index_add(0, target, torch.ones_like(target))
    offsets = offsets_of(counts)
    # Edges of one row are neighbours in the old order too: each keeps its distance from the first of them.
    position = torch.arange(edges.num_edges, device=device)
    first = torch.ones_like(position, dtype=torch.bool)
    first[1:] = target[1:] != target[:-1]
    start_of_run = torch.cummax(torch.where(first, position, 0), 0).values
    place = offsets[target] + position - start_of_run
    edge, dst = torch.empty_like(edges.transpose.edge), torch.empty_like(edges.transpose.dst)
    edge[place], dst[place] = edges.transpose.edge, edges.transpose.dst
    return Edges(edges.offsets, row.int(), edges.relation, Transpose(offsets, edge, dst))


def check_spans(edges: Edges, spans: Sequence[tuple[int, int]]) -> None:
    """Raise ValueError for an edge that would read another relation's rows."""
    if torch.compiler.is_compiling() or not edges.num_edges:
        return
    if edges.src.device.type != "cpu" and not CHECK_ON_DEVICE.get():
        return
    check_range("edges.relation", edges.relation, len(spans))
    start, stop = torch.tensor(spans, device=edges.src.device)[edges.relation.long()].unbind(1)
    outside = (edges.src < start) | (edges.src >= stop)
    if outside.any():
        edge = int(outside.nonzero()[0, 0])
        relation, src = int(edges.relation[edge]), int(edges.src[edge])
        expected = f"{int(start[edge])}..{int(stop[edge]) - 1}, the span of relation {relation}"
        raise ValueError(f"edges.src[{edge}] must lie in {expected}; found {src}")
