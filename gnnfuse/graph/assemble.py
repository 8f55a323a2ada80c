"""Builds a batch from plain values and edge lists, and back, for exchange with other graph libraries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from gnnfuse.edges import EdgeList, Relation
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.graph.sample_graph import FAR
from gnnfuse.nodes import Layout
from gnnfuse.ops import edges_from_index


def assemble(
    values: Mapping[str, Tensor],
    layout: Mapping[str, Layout],
    edge_lists: Mapping[Relation, EdgeList],
    *,
    target: Tensor | Ragged | None,
    ids: tuple[str, ...],
    modalities: tuple[str, ...],
    present: Bool[Tensor, "graphs modalities"],
) -> GraphBatch:
    """Make a batch from nodes and lists of edges; the lists may have any order, which the batch remembers.

    Args:
        values: node type -> `[nodes of the type, ...]`, in the order of numbering.
        layout: node type -> its nodes' layout; float64 times and positions become float32, relative to their sample's
            first if that is far from 0, as in a builder (`gnnfuse.graph.sample_graph.to_float32`).
        edge_lists: relation -> its edges, numbered within the two types, with as many features as the relation
            declares; relations in the order of numbering. If any has weights, the edges of the others get 1.
        target: `[graphs, ...]`, `Ragged` or None.
        ids: the samples' ids.
        modalities: node types that are read from a signal.
        present: `[graphs, modalities]`.

    Raises:
        ValueError: an edge refers to a type or a node that does not exist, or joins two samples.
    """
    first, start = {}, 0
    for name, rows in values.items():
        first[name] = start
        start += len(rows)
    for relation, listed in edge_lists.items():
        _check_pairs(relation, listed.index, layout)
        _check_data(relation, listed)
    device, layout = present.device, _to_float32(layout, len(ids))
    none = torch.zeros(2, 0, dtype=torch.int64, device=device)
    lengths = torch.tensor([listed.index.shape[1] for listed in edge_lists.values()], dtype=torch.int64, device=device)
    moved = [
        torch.stack([listed.index[0] + first[relation.src], listed.index[1] + first[relation.dst]])
        for relation, listed in edge_lists.items()
    ]
    src, dst = torch.cat([none, *moved], dim=1)
    number = torch.repeat_interleave(lengths)
    edges = edges_from_index(src, dst, number, num_nodes=start)
    order = torch.argsort((dst * max(1, len(edge_lists)) + number) * max(1, start) + src, stable=True)
    place = torch.arange(len(src), device=device) - (lengths.cumsum(0) - lengths)[number]
    edge_order: Tensor | None = place[order]
    if torch.equal(place[order][torch.argsort(edges.relation, stable=True)], place):
        edge_order = None  # the lists are in the batch's own order
    return GraphBatch(
        values=values,
        layout=layout,
        edges=edges,
        relations=tuple(edge_lists),
        graph_id=torch.cat([of_type.graph_id for of_type in layout.values()]),
        num_graphs=len(ids),
        target=target,
        ids=ids,
        modalities=modalities,
        present=present,
        edge_weight=_edge_weight(edge_lists, order),
        edge_features=_edge_features(edge_lists, place[order], number[order]),
        edge_order=edge_order,
    )


def _edge_weight(edge_lists: Mapping[Relation, EdgeList], order: Tensor) -> Tensor | None:
    """`[edges]` in the batch's order; `order` holds each edge's position in the concatenated lists."""
    if all(listed.weight is None for listed in edge_lists.values()):
        return None
    parts = [
        torch.ones(listed.index.shape[1], device=order.device) if listed.weight is None else listed.weight.float()
        for listed in edge_lists.values()
    ]
    return torch.cat(parts)[order]


def _edge_features(edge_lists: Mapping[Relation, EdgeList], place: Tensor, number: Tensor) -> dict[Relation, Tensor]:
    """The features in the batch's order; per edge, `number` is its relation and `place` its position in that list."""
    return {
        relation: listed.features.float()[place[number == which]]
        for which, (relation, listed) in enumerate(edge_lists.items())
        if listed.features is not None and relation.features
    }


def list_edges(batch: GraphBatch) -> Mapping[Relation, EdgeList]:
    """Relation -> its edges, numbered within the two types, in the order that the batch remembers.

    This is sorted by destination and source, unless the batch came from a library with its own order. Weights are
    those of the batch, so either all lists have some or none.

    Example:
        >>> from gnnfuse import edges, graph, nodes, sample
        >>> builder = graph.GraphBuilder([nodes.TextTokens()], [edges.Window(size=1)])
        >>> {str(r): e.index.tolist() for r, e in list_edges(builder([sample.Sample({"text": "abc"})])).items()}
        {'text-window-text': [[1, 0, 2, 1], [0, 1, 1, 2]]}
    """
    edges, dst = batch.edges, batch.edges.dst()
    relation = edges.relation.long()
    own = torch.argsort(relation, stable=True)
    order = own
    if batch.edge_order is not None:
        order = torch.argsort(relation * max(1, edges.num_edges) + batch.edge_order)
    counts = torch.bincount(relation, minlength=len(batch.relations)).tolist()[: len(batch.relations)]
    pairs = torch.stack([edges.src[order].long(), dst[order]]).split_with_sizes(counts, dim=1)
    weights = [None] * len(counts) if batch.edge_weight is None else batch.edge_weight[order].split_with_sizes(counts)
    slices = batch.slices
    found = {}
    for number, of in enumerate(batch.relations):
        first = torch.tensor([[slices[of.src].start], [slices[of.dst].start]], device=batch.device)
        features = batch.edge_features.get(of)
        if features is not None and batch.edge_order is not None:
            features = features[torch.argsort(batch.edge_order[own][relation[own] == number])]
        found[of] = EdgeList(pairs[number] - first, weights[number], features)
    return found


def as_values(found: Tensor, where: str) -> Tensor:
    """Another library's numbers as encoder input: float32, but a single integer per node is an id and stays one.

    Raises:
        ValueError: complex numbers.

    Example:
        >>> as_values(torch.ones(3, 2, dtype=torch.float64), "x").dtype, as_values(torch.ones(3).int(), "x").dtype
        (torch.float32, torch.int64)
    """
    if found.is_complex():
        raise ValueError(f"{where}: found {found.dtype}, expected real numbers")
    whole = not found.is_floating_point() and found.dtype != torch.bool
    return found.long() if whole and found.ndim == 1 else found.float()


def _to_float32(layout: Mapping[str, Layout], graphs: int) -> dict[str, Layout]:
    """`gnnfuse.graph.sample_graph.to_float32`, for all samples at once."""
    wide = torch.float64
    timed = [(of.graph_id, of.time[:, :1]) for of in layout.values() if of.time is not None and of.time.dtype == wide]
    first = _origins(timed, graphs, 1)
    placed = [of for of in layout.values() if of.position is not None and of.position.dtype == wide]
    lowest: dict[int, Tensor] = {}
    for axes in {of.position.shape[1] for of in placed if of.position is not None}:
        points = [(of.graph_id, of.position) for of in placed if of.position is not None]
        lowest[axes] = _origins([found for found in points if found[1].shape[1] == axes], graphs, axes)
    moved = {}
    for name, of in layout.items():
        time, position = of.time, of.position
        if time is not None and time.dtype == wide:
            time = (time - first[of.graph_id]).float()
        if position is not None and position.dtype == wide:
            position = (position - lowest[position.shape[1]][of.graph_id]).float()
        moved[name] = replace(of, time=time, position=position)
    return moved


def _origins(parts: Sequence[tuple[Tensor, Tensor]], graphs: int, axes: int) -> Float64[Tensor, "graphs axes"]:
    """The offset subtracted in each sample: the lowest number of each axis if that is far from 0, else 0."""
    if not parts:
        return torch.zeros(graphs, axes, dtype=torch.float64)
    numbers, graph_id = torch.cat([rows for _, rows in parts]), torch.cat([of for of, _ in parts])
    none = torch.full((graphs, axes), torch.inf, dtype=torch.float64, device=numbers.device)
    found = none.scatter_reduce(0, graph_id[:, None].expand_as(numbers), numbers, "amin")
    return torch.where((found.abs() < FAR) | found.isinf(), 0.0, found)


def _check_pairs(relation: Relation, pairs: Tensor, layout: Mapping[str, Layout]) -> None:
    for end in (relation.src, relation.dst):
        if end not in layout:
            raise ValueError(f"relation {relation}: found no nodes of type {end!r}, expected one of {list(layout)}")
    if pairs.ndim != 2 or len(pairs) != 2 or pairs.dtype != torch.int64:
        raise ValueError(
            f"relation {relation}: found edges of shape {list(pairs.shape)} and {pairs.dtype}, "
            "expected [2, edges] of torch.int64"
        )
    if not pairs.numel():
        return
    for index, end, where in zip(pairs, (relation.src, relation.dst), ("sources", "destinations"), strict=True):
        low, high, nodes = int(index.min()), int(index.max()), len(layout[end].graph_id)
        if low < 0 or high >= nodes:
            raise ValueError(f"relation {relation}: found {where} in {low}..{high}, expected 0..{nodes - 1}")
    src_graph, dst_graph = layout[relation.src].graph_id[pairs[0]], layout[relation.dst].graph_id[pairs[1]]
    if not torch.equal(src_graph, dst_graph):
        raise ValueError(f"relation {relation}: found edges between samples, expected none")


def _check_data(relation: Relation, listed: EdgeList) -> None:
    count = listed.index.shape[1]
    for what, found, shape in (
        ("weights", listed.weight, (count,)),
        ("features", listed.features, (count, relation.features)),
    ):
        if found is not None and (found.shape != shape or found.is_complex()):
            raise ValueError(
                f"relation {relation}: found {what} of shape {list(found.shape)} and {found.dtype}, expected "
                f"{list(shape)} real numbers, one row per edge"
            )
