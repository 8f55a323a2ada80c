"""Removes nodes or edges from a batch by masks and cumulative sums, without Python loops over nodes or edges."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gnnfuse.catalog import unknown
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.nodes import Layout
from gnnfuse.ops import edges_between, keep_edges, keep_rows
from gnnfuse.ops.edges import offsets_of

Batch = TypeVar("Batch", bound=GraphBatch)
NodeMasks = Bool[Tensor, "nodes"] | Mapping[str, Bool[Tensor, "_"]]


def keep(
    batch: Batch,
    nodes: NodeMasks | None = None,
    edges: Bool[Tensor, "edges"] | None = None,
    *,
    absent: Mapping[str, Bool[Tensor, "graphs"]] | None = None,
) -> Batch:
    """As `GraphBatch.keep`.

    Args:
        batch: the batch.
        nodes: as there.
        edges: as there.
        absent: node type -> samples that lack the type afterwards; needed if they had it with no nodes.

    Raises:
        ValueError: as there.
    """
    if edges is not None:
        check_mask("edges", edges, (batch.edges.num_edges,), batch.device)
    stays = _node_mask(batch, nodes)
    if nodes is None and edges is None:
        return batch
    kept = keep_edges(batch.edges, stays, edges)
    batch = replace(batch, edges=kept, **_edge_data(batch, stays, edges))
    if nodes is None:
        return batch
    parts = _parts(batch, stays, absent or {})
    layout = {name: _layout(batch.layout[name], part) for name, part in parts.items()}
    return replace(
        batch,
        values={name: parts[name].of(values) for name, values in batch.values.items()},
        layout=layout,
        graph_id=torch.cat([of_type.graph_id for of_type in layout.values()]),
        target=_target(batch, stays, parts),
        present=_present(batch, parts),
    )


class Part(NamedTuple):
    """The remaining nodes of one type.

    Args:
        rows: `[nodes]`, numbers within the type; None if all stay.
        offsets: `[graphs + 1]` of the remaining nodes.
        gone: `[graphs]`, the samples that no longer have the type; None if all still have it.
        partial: some sample lost some but not all of its nodes.
    """

    rows: Int[Tensor, "nodes"] | None
    offsets: Int[Tensor, "graphs_plus_one"]
    gone: Bool[Tensor, "graphs"] | None
    partial: bool

    def of(self, found: Tensor) -> Tensor:
        """The remaining rows of a tensor with one row per node."""
        return found if self.rows is None else found.index_select(0, self.rows)


def _parts(batch: GraphBatch, stays: Tensor, absent: Mapping[str, Tensor]) -> dict[str, Part]:
    """The remaining nodes of each type; synchronises with the device once."""
    masks = [stays[place] for place in batch.slices.values()]
    parts = {}
    for (name, layout), kept in zip(
        batch.layout.items(), keep_rows(masks, [of.offsets for of in batch.layout.values()]), strict=True
    ):
        gone = kept.emptied
        if name in absent:
            gone = absent[name] if gone is None else absent[name] | gone
        rows = None if len(kept.rows) == len(layout.graph_id) else kept.rows
        parts[name] = Part(rows, kept.offsets, gone, kept.partial)
    return parts


def _layout(layout: Layout, part: Part) -> Layout:
    graph_id, place, gone = part.of(layout.graph_id), None, part.gone
    if len(graph_id) and layout.place is not None:
        place = part.of(layout.place)
    elif part.partial and part.rows is not None:
        place = part.rows - layout.offsets.index_select(0, graph_id)
    return Layout(
        graph_id=graph_id,
        offsets=part.offsets,
        shape=layout.shape if gone is None else layout.shape.masked_fill(gone[:, None], 0),
        position=None if layout.position is None else part.of(layout.position),
        time=None if layout.time is None else part.of(layout.time),
        dropped=layout.dropped if gone is None else layout.dropped.masked_fill(gone, 0),
        place=place,
    )


def _present(batch: GraphBatch, parts: Mapping[str, Part]) -> Tensor:
    gone = {column: parts[name].gone for column, name in enumerate(batch.modalities)}
    if all(of_type is None for of_type in gone.values()):
        return batch.present
    present = batch.present.clone()
    for column, of_type in gone.items():
        if of_type is not None:
            present[:, column].masked_fill_(of_type, False)
    return present


def _target(batch: GraphBatch, stays: Tensor, parts: Mapping[str, Part]) -> Tensor | Ragged | None:
    """The target without removed nodes' rows; a surplus or lack of rows in a sample is preserved."""
    target = batch.target
    if not isinstance(target, Ragged) or target.of is None or target.of not in parts:
        return target
    found, expected = len(target.values), len(batch.layout[target.of].graph_id)
    if found != expected:
        raise ValueError(f"target: found {found} rows for the nodes of type {target.of!r}, expected {expected}")
    before = offsets_of(stays[batch.slices[target.of]])
    return Ragged(parts[target.of].of(target.values), before[target.offsets], target.of)


def _edge_data(batch: GraphBatch, nodes: Tensor, edges: Tensor | None) -> dict[str, Any]:
    """The fields of the batch with one row per edge, for the remaining edges."""
    if batch.edge_weight is None and batch.edge_order is None and not batch.edge_features:
        return {}
    stays = edges_between(batch.edges, nodes, edges)
    numbers = {relation: number for number, relation in enumerate(batch.relations)}
    return {
        "edge_weight": None if batch.edge_weight is None else batch.edge_weight[stays],
        "edge_features": {
            relation: found[stays[batch.edges.relation == numbers[relation]]]
            for relation, found in batch.edge_features.items()
        },
        "edge_order": None if batch.edge_order is None else _edge_order(batch, stays),
    }


def _edge_order(batch: GraphBatch, stays: Tensor) -> Tensor | None:
    """Each remaining edge's position in the other library's list for its relation; None for the batch's own order."""
    assert batch.edge_order is not None
    relation = batch.edges.relation.long()
    first = offsets_of(torch.bincount(relation, minlength=len(batch.relations)))
    listed = first[relation] + batch.edge_order  # its position in all lists end to end
    staying = torch.empty_like(stays)
    staying[listed] = stays
    before = offsets_of(staying)
    order = (before[listed] - before[first[relation]])[stays]
    return None if bool((_own_order(relation[stays], len(batch.relations)) == order).all()) else order


def _own_order(relation: Tensor, count: int) -> Tensor:
    """Each edge's position within its relation."""
    order = torch.argsort(relation, stable=True)
    first = offsets_of(torch.bincount(relation, minlength=count))
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    return place - first[relation]


def _node_mask(batch: GraphBatch, nodes: NodeMasks | None) -> Tensor:
    """The checked mask of nodes that stay."""
    if isinstance(nodes, Tensor):
        check_mask("nodes", nodes, (batch.num_nodes,), batch.device)
        return nodes
    given: object = nodes
    if given is not None and not isinstance(given, Mapping):
        expected = f"a tensor torch.bool [{batch.num_nodes}] or masks by node type"
        raise ValueError(f"nodes: found a {type(given).__name__}, expected {expected}")
    slices = batch.slices
    mask = torch.ones(batch.num_nodes, dtype=torch.bool, device=batch.device)
    for name, of_type in ({} if nodes is None else nodes).items():
        if name not in slices:
            raise ValueError(f"nodes: {unknown('node type', name, slices)}")
        place = slices[name]
        check_mask(f"nodes[{name!r}]", of_type, (place.stop - place.start,), batch.device)
        mask[place] = of_type
    return mask


def check_mask(name: str, mask: Tensor, shape: tuple[int, ...], device: torch.device) -> None:
    """Refuse a mask that does not fit a batch.

    Raises:
        ValueError: no tensor, or one of another dtype, shape or device; names the mask, what was found and expected.
    """
    expected = f"torch.bool {list(shape)} on {device}"
    if not isinstance(mask, Tensor):
        raise ValueError(f"{name}: found a {type(mask).__name__}, expected a tensor {expected}")
    if mask.dtype != torch.bool or mask.shape != shape or mask.device != device:
        found = f"{mask.dtype} {list(mask.shape)} on {mask.device}"
        raise ValueError(f"{name}: found {found}, expected {expected} as the batch has")
