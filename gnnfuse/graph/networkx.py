"""To and from networkx: imports knowledge graphs, exports graphs for inspection."""

import operator
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gnnfuse.edges import EdgeList, Relation
from gnnfuse.graph.assemble import as_values, assemble, list_edges
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.nodes import Layout

if TYPE_CHECKING:
    import networkx

COMPANION = "gnnfuse"  # the graph attribute for everything that nodes and edges cannot carry
LARGEST = 2**63 - 1  # of int64


def to_networkx(batch: GraphBatch, *, values: bool = True) -> "networkx.MultiDiGraph":
    """The batch as a directed multigraph.

    A node is named `(type, graph, index)` and has these as attributes, with `value` (a tensor), and `position` and
    `time` (numbers) if its type has them. An edge has the attributes `relation` (the rule's name, also its key),
    `weight` if the batch has weights, and `features` (a tensor) if its relation has them.
    The graph attribute `gnnfuse` holds everything else, for the conversion back.

    Args:
        batch: one sample or several.
        values: include the nodes' values; without them it cannot be converted back.

    Example:
        >>> from gnnfuse import edges, graph, nodes, sample
        >>> builder = graph.GraphBuilder([nodes.TextTokens()], [edges.Window(size=1)])
        >>> list(to_networkx(builder([sample.Sample({"text": "ab"})])).edges(keys=True))
        [(('text', 0, 0), ('text', 0, 1), 'window'), (('text', 0, 1), ('text', 0, 0), 'window')]
    """
    import networkx

    batch = batch.to("cpu")
    graph = networkx.MultiDiGraph()
    names: dict[str, list[tuple[str, int, int]]] = {}
    for name, layout in batch.layout.items():
        places = zip(layout.graph_id.tolist(), layout.index.tolist(), strict=True)
        names[name] = [(name, sample, index) for sample, index in places]
        for row, (_, sample, index) in enumerate(names[name]):
            attributes: dict[str, object] = {"type": name, "graph": sample, "index": index}
            for field, found in (("position", layout.position), ("time", layout.time)):
                if found is not None:
                    attributes[field] = tuple(found[row].tolist())
            if values:
                attributes["value"] = batch.values[name][row]
            graph.add_node(names[name][row], **attributes)
    for relation, (pairs, weight, features) in list_edges(batch).items():
        for place, (src, dst) in enumerate(pairs.T.tolist()):
            ends = names[relation.src][src], names[relation.dst][dst]
            key = None if graph.has_edge(*ends, relation.rule) else relation.rule  # None: a second edge, any free key
            carried: dict[str, object] = {} if weight is None else {"weight": float(weight[place])}
            if features is not None:
                carried["features"] = features[place]
            graph.add_edge(*ends, key=key, relation=relation.rule, **carried)
    graph.graph[COMPANION] = {
        "relations": batch.relations,
        "weighted": batch.edge_weight is not None,
        "target": batch.target,
        "ids": batch.ids,
        "modalities": batch.modalities,
        "present": batch.present,
        "empty": {name: rows[:0] for name, rows in batch.values.items()},
        "layout": batch.layout,
        "edge_order": batch.edge_order,
    }
    return graph


def from_networkx(
    graph: "networkx.Graph",
    *,
    node_types: Sequence[str] | None = None,
    type_attribute: str = "type",
    value_attribute: str = "value",
    relation_attribute: str = "relation",
) -> GraphBatch:
    """A networkx graph as a batch: `from_networkx(to_networkx(batch)) == batch`, bit for bit.

    Any graph is accepted in which each node has a type and a value (numbers, of one shape per type) and each edge a
    relation (an attribute, or the key of a multigraph). Nodes may also have `graph` (the number of the sample, 0 by
    default), `position` (numbers) and `time` (start and end in seconds). Numbers may be Python's, numpy's or torch's.
    They become float32, times and positions relative to their sample's first if that is far from 0; a single integer
    per node is an id and becomes int64. Nodes of a type keep the order of `graph.nodes` within their sample. An
    undirected edge becomes two directed ones. Edges may have a `weight` (1 by default) and, all edges of a relation or
    none, `features` (numbers). Other attributes are dropped.

    Args:
        graph: the graph to read.
        node_types: names of the types in the order of numbering; all that are found, sorted, by default.
        type_attribute: node attribute that names the type.
        value_attribute: node attribute with the value.
        relation_attribute: edge attribute that names the relation.

    Raises:
        ValueError: no networkx graph, no nodes, a node or an edge with a missing or unusable attribute (the message
            names both), values of different shapes within a type, or an edge between samples.

    Example:
        >>> import networkx
        >>> graph = networkx.DiGraph()
        >>> graph.add_node("Ada", type="person", value=[0.5, 1.0])
        >>> graph.add_node("Rome", type="city", value=[2.0])
        >>> graph.add_edge("Ada", "Rome", relation="lives_in")
        >>> batch = from_networkx(graph)
        >>> batch.node_types, [str(relation) for relation in batch.relations]
        (('city', 'person'), ['person-lives_in-city'])
    """
    if not all(hasattr(graph, needed) for needed in ("nodes", "edges", "graph")):
        raise ValueError(f"found a {type(graph).__name__}, expected one networkx graph")
    companion: Mapping[str, Any] | None = graph.graph.get(COMPANION)
    by_type = _nodes_by_type(graph, type_attribute, node_types, companion)
    samples = [_sample(graph, node) for nodes in by_type.values() for node in nodes]
    if companion is None and not samples:
        raise ValueError("graph: found no nodes, expected at least one")
    num_graphs = len(companion["ids"]) if companion is not None else max(samples) + 1
    values, layout = {}, {}
    for name, nodes in by_type.items():
        empty = None if companion is None else companion["empty"][name]
        values[name] = _stack(graph, name, nodes, value_attribute, empty)
        layout[name] = _layout(graph, name, nodes, num_graphs, None if companion is None else companion["layout"][name])
    edge_lists = _edge_lists(graph, by_type, relation_attribute, companion)
    if companion is not None:
        kept = {field: companion[field] for field in ("target", "ids", "modalities", "present")}
        batch, order = assemble(values, layout, edge_lists, **kept), companion["edge_order"]
        return batch if order is None or len(order) != batch.edges.num_edges else replace(batch, edge_order=order)
    present = torch.stack([of_type.offsets.diff() > 0 for of_type in layout.values()], dim=1)
    ids = tuple(map(str, range(num_graphs)))
    return assemble(values, layout, edge_lists, target=None, ids=ids, modalities=tuple(values), present=present)


def _nodes_by_type(
    graph: "networkx.Graph", attribute: str, node_types: Sequence[str] | None, companion: Mapping[str, Any] | None
) -> dict[str, list[Hashable]]:
    types = {node: _needed(attributes, attribute, f"node {node!r}") for node, attributes in graph.nodes(data=True)}
    if companion is not None:
        node_types = list(companion["empty"])
    names = sorted({str(found) for found in types.values()}) if node_types is None else map(str, node_types)
    by_type: dict[str, list[Hashable]] = {name: [] for name in names}
    for node, found in types.items():
        if str(found) not in by_type:
            raise ValueError(f"node {node!r}: found type {found!r}, expected one of {list(by_type)}")
        by_type[str(found)].append(node)
    return {name: sorted(nodes, key=lambda node: _sample(graph, node)) for name, nodes in by_type.items()}


def _sample(graph: "networkx.Graph", node: Hashable) -> int:
    sample = graph.nodes[node].get("graph", 0)
    try:
        number = operator.index(int(sample) if isinstance(sample, float) and sample.is_integer() else sample)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"node {node!r}: found graph {sample!r}, expected the number of its sample, from 0")
    return number


def _needed(attributes: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in attributes:
        raise ValueError(f"{where}: found no attribute {name!r}, expected one; it has {sorted(map(str, attributes))}")
    found = attributes[name]
    if found is None or (isinstance(found, float | np.floating) and np.isnan(found)):  # a missing cell in pandas
        raise ValueError(f"{where}: found attribute {name!r} without a value ({found}), expected one")
    return found


def _stack(graph: "networkx.Graph", name: str, nodes: list[Hashable], attribute: str, empty: Tensor | None) -> Tensor:
    rows: list[Tensor] = []
    for node in nodes:
        row = _tensor(_needed(graph.nodes[node], attribute, f"node {node!r}"), f"node {node!r}", attribute)
        if rows and row.shape != rows[0].shape:
            raise ValueError(
                f"node {node!r}: found {attribute} of shape {list(row.shape)}, expected {list(rows[0].shape)}, as "
                f"other nodes of type {name!r} have"
            )
        rows.append(row)
    if not rows:
        return torch.zeros(0, 0) if empty is None else empty
    dtype = reduce(torch.promote_types, (row.dtype for row in rows))
    stacked = torch.stack([row.to(dtype) for row in rows])
    if empty is None:
        return as_values(stacked, f"node type {name!r}, {attribute}")
    if not torch.can_cast(dtype, empty.dtype):
        raise ValueError(f"node type {name!r}: found {attribute}s of {dtype}, expected {empty.dtype}, as before")
    return stacked.to(empty.dtype)


def _tensor(found: object, where: str, attribute: str) -> Tensor:
    """Numbers from Python, numpy or torch as a tensor.

    Raises:
        ValueError: no numbers, or integers beyond int64; names the node or edge.
    """
    if isinstance(found, Tensor):
        return found
    try:
        array = np.asarray(found)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or (array.dtype == np.uint64 and bool((array > LARGEST).any())):
        raise ValueError(f"{where}: found {attribute} {found!r}, expected numbers, whole ones up to {LARGEST}")
    wide = {"f": np.float64, "b": np.bool_}.get(array.dtype.kind, np.int64)
    return torch.from_numpy(array.astype(wide))


def _layout(graph: "networkx.Graph", name: str, nodes: list[Hashable], num_graphs: int, known: Layout | None) -> Layout:
    samples = torch.tensor([_sample(graph, node) for node in nodes], dtype=torch.int64)
    counts = torch.bincount(samples, minlength=num_graphs)
    if known is not None and not torch.equal(counts, known.offsets.diff()):
        raise ValueError(
            f"node type {name!r}: found {counts.tolist()} nodes per sample, but graph.graph[{COMPANION!r}] "
            f"records {known.offsets.diff().tolist()}; delete that entry to read the graph without it"
        )
    position = _numbers(graph, name, nodes, "position", None if known is None else known.position)
    time = _numbers(graph, name, nodes, "time", None if known is None else known.time)
    if known is not None:
        return replace(known, position=position, time=time)
    offsets = torch.zeros(num_graphs + 1, dtype=torch.int64)
    torch.cumsum(counts, 0, out=offsets[1:])
    return Layout(samples, offsets, counts.unsqueeze(1), position, time, torch.zeros_like(counts))


def _numbers(
    graph: "networkx.Graph", name: str, nodes: list[Hashable], field: str, known: Tensor | None
) -> Tensor | None:
    found = [graph.nodes[node].get(field) for node in nodes]
    if all(numbers is None for numbers in found):
        return known if not found else None
    size, expected = (2, "start and end in seconds") if field == "time" else (None, "coordinates in a list")
    rows: list[Tensor] = []
    for node, numbers in zip(nodes, found, strict=True):
        if numbers is None:
            raise ValueError(f"node {node!r}: found no {field}, expected one, as other nodes of type {name!r} have")
        row = _tensor(numbers, f"node {node!r}", field)
        if row.ndim != 1 or len(row) == 0 or len(row) != (size or len(row)):
            raise ValueError(f"node {node!r}: found {field} {numbers!r}, expected {expected}")
        if size is None:
            size, expected = len(row), f"{len(row)} numbers in a list"
        rows.append(row.double())
    return torch.stack(rows).to(torch.float64 if known is None else known.dtype)


class _Edge(NamedTuple):
    src: int
    dst: int
    weight: float | None
    features: Tensor | None


def _edge_lists(
    graph: "networkx.Graph",
    by_type: Mapping[str, Sequence[Hashable]],
    attribute: str,
    companion: Mapping[str, Any] | None,
) -> dict[Relation, EdgeList]:
    """networkx keeps no order of edges, so the batch's own is used; parallel edges keep theirs."""
    place = {node: (name, index) for name, nodes in by_type.items() for index, node in enumerate(nodes)}
    known: Sequence[Relation] = () if companion is None else companion["relations"]
    found: dict[tuple[str, str, str], list[_Edge]] = {relation.triple: [] for relation in known}
    multiple = graph.is_multigraph()
    for edge in graph.edges(keys=True, data=True) if multiple else graph.edges(data=True):
        src, dst, attributes = edge[0], edge[1], edge[-1]
        if attribute not in attributes and multiple and isinstance(edge[2], str):
            attributes = {**attributes, attribute: edge[2]}
        where = f"edge {src!r} to {dst!r}"
        rule, carried = _needed(attributes, attribute, where), _carried(attributes, where)
        both = [(src, dst)] if graph.is_directed() or src == dst else [(src, dst), (dst, src)]
        for one, other in both:
            (src_type, src_index), (dst_type, dst_index) = place[one], place[other]
            found.setdefault((src_type, str(rule), dst_type), []).append(_Edge(src_index, dst_index, *carried))
    widths = {relation.triple: relation.features for relation in known}
    weighted = any(edge.weight is not None for edges in found.values() for edge in edges)
    weighted = weighted or (companion is not None and companion["weighted"])
    ordered = found if known else {triple: found[triple] for triple in sorted(found)}
    return dict(_edge_list(triple, edges, weighted, widths.get(triple)) for triple, edges in ordered.items())


def _carried(attributes: Mapping[str, Any], where: str) -> tuple[float | None, Tensor | None]:
    weight, features = attributes.get("weight"), attributes.get("features")
    row = None if features is None else _tensor(features, where, "features")
    number = None if weight is None else _tensor(weight, where, "weight")
    if number is not None and number.numel() != 1:
        raise ValueError(f"{where}: found weight {weight!r}, expected a number")
    return None if number is None else float(number), row


def _edge_list(
    triple: tuple[str, str, str], edges: Sequence[_Edge], weighted: bool, width: int | None
) -> tuple[Relation, EdgeList]:
    edges = sorted(edges, key=lambda edge: (edge.dst, edge.src))
    rows = [edge.features for edge in edges if edge.features is not None]
    width = (rows[0].numel() if rows else 0) if width is None else width
    relation = Relation(*triple, features=width)
    if len(rows) not in (0, len(edges)) or any(row.shape != (width,) for row in rows) or (edges and width and not rows):
        shapes = sorted({str(None if e.features is None else list(e.features.shape)) for e in edges})
        expected = f"expected {[width]} of each edge" if width else "expected numbers in a list"
        raise ValueError(f"relation {relation}: found features of shapes {', '.join(shapes)}, {expected}")
    index = torch.tensor([(edge.src, edge.dst) for edge in edges], dtype=torch.int64).reshape(-1, 2).T.contiguous()
    weight = torch.tensor([1.0 if edge.weight is None else edge.weight for edge in edges]) if weighted else None
    features = torch.stack([row.float() for row in rows]) if rows else torch.zeros(0, width) if width else None
    return relation, EdgeList(index, weight, features)
