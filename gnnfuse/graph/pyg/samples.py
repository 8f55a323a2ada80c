"""A PyTorch Geometric data set as samples, for training like any others."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from gnnfuse.edges import EdgeList, EdgeRule
from gnnfuse.edges.given import GivenEdges
from gnnfuse.graph.pyg.labels import targets_of
from gnnfuse.graph.pyg.read_graph import Ends, PygGraph, read_graph
from gnnfuse.nodes import Features, NodeType
from gnnfuse.sample import Rows, Sample

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData


def samples_of(
    dataset: "Iterable[HeteroData | Data] | HeteroData | Data",
) -> tuple[list[Sample], tuple[NodeType, ...], tuple[EdgeRule, ...]]:
    """Samples from a data set's graphs, with the node types and edge rules that rebuild the same graphs.

    Every node type is a signal, `Features` of its `x` (a column if it is `[nodes]`), with positions if all graphs have
    `pos` and times if all have `time` (`[nodes, 2]`). A type without nodes in a graph is a missing signal. Every edge
    type is a `GivenEdges` with its name, put between the names of its ends if two edge types share a name, with
    features if all graphs have its `edge_attr` and weights if all have its `edge_weight`. Attributes may be
    tensors, arrays or nested lists.

    The target is the graph's `y` (a number, or a list of several), or the `y` of one node type as a list of one label
    per node. The `y` of a `Data` belongs to its nodes if every graph has as many entries as nodes, and not all graphs
    have a single node.

    Args:
        dataset: graphs; each `Data` has the node type "node" and the edge type "edge". A batch counts as its graphs,
            and a single graph as a data set of one.

    Raises:
        ValueError: no graphs; nodes that lack `x` or have another number of features, or edges without nodes; or a `y`
            that is neither of graphs nor of the nodes of one type. Names the graph.

    Warns:
        UserWarning: attributes that are not read, or `pos`, `time`, `edge_attr` or `edge_weight` that only some graphs
            have.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from gnnfuse.graph import GraphBuilder, NumberTarget
        >>> ring = Data(x=torch.rand(3, 4), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), y=torch.tensor([1.5]))
        >>> samples, node_types, edge_rules = samples_of([ring])
        >>> GraphBuilder(node_types, edge_rules, target=NumberTarget())(samples)
        GraphBatch(1 graphs; nodes: node 3; edges: node-edge-node 3; cpu)
    """
    graphs = [read_graph(place, data) for place, data in enumerate(_each(dataset))]
    if not graphs:
        raise ValueError("found no graphs, expected at least one")
    names = _names(sorted({ends for graph in graphs for ends in graph.edges}))
    types = sorted({name for graph in graphs for name in graph.nodes})
    if not types:
        raise ValueError("found no nodes with features x in any graph, expected some")
    names = {ends: name for ends, name in names.items() if {ends[0], ends[2]} <= set(types)}  # the others are empty
    node_types = tuple(_node_type(name, graphs, names) for name in types)
    rules = {ends: _rule(ends, name, graphs) for ends, name in names.items()}
    samples = [
        Sample({of.name: _rows(of, graph, rules) for of in node_types if of.name in graph.nodes}, y, str(graph.place))
        for graph, y in zip(graphs, targets_of(graphs), strict=True)
    ]
    _warn(graphs, node_types, rules)
    return samples, node_types, tuple(rules.values())


def _each(dataset: "Iterable[HeteroData | Data] | HeteroData | Data") -> "Iterator[HeteroData | Data]":
    """The graphs of a data set, of a batch, of the batches of a loader, or a single graph itself."""
    from torch_geometric.data import Batch, Data, HeteroData

    if not isinstance(dataset, Iterable):
        raise ValueError(f"found a {type(dataset).__name__}, expected graphs: torch_geometric's Data or HeteroData")
    for data in [dataset] if isinstance(dataset, Data | HeteroData) else dataset:
        yield from data.to_data_list() if isinstance(data, Batch) else [data]


def _names(ends: Sequence[Ends]) -> dict[Ends, str]:
    """The edge name of each edge type: the type's name, with its ends if the name is not unique."""
    often = Counter(rule for _, rule, _ in ends)
    return {(src, rule, dst): rule if often[rule] == 1 else f"{src}_{rule}_{dst}" for src, rule, dst in ends}


def _node_type(name: str, graphs: Sequence[PygGraph], names: Mapping[Ends, str]) -> Features:
    having = [graph for graph in graphs if name in graph.nodes]
    stores = [graph.nodes[name] for graph in having]
    placed = all("pos" in store for store in stores)
    return Features(
        signal=name,
        width=_width(having, name, "x", "features"),
        timed=all("time" in store for store in stores),
        coordinates=_width(having, name, "pos", "coordinates pos") if placed else 0,
        linked=any(dst == name for _, _, dst in names),
        max_nodes=None,
    )


def _rule(ends: Ends, name: str, graphs: Sequence[PygGraph]) -> GivenEdges:
    having = [graph for graph in graphs if ends in graph.edges and graph.edges[ends]["edge_index"].numel()]
    stores = [graph.edges[ends] for graph in having]
    carried = bool(stores) and all("edge_attr" in store for store in stores)
    return GivenEdges(
        src=ends[0],
        dst=ends[2],
        name=name,
        weighted=bool(stores) and all("edge_weight" in store for store in stores),
        features=_width(having, ends, "edge_attr", "columns of edge_attr") if carried else 0,
    )


def _width(graphs: Sequence[PygGraph], name: str | Ends, attribute: str, what: str) -> int:
    """The number of columns of an attribute, the same in all graphs."""
    stores = [graph.nodes[name] if isinstance(name, str) else graph.edges[name] for graph in graphs]
    shown = name if isinstance(name, str) else " ".join(name)
    widths = [_columns(store[attribute]).shape[1] for store in stores]
    for graph, width in zip(graphs, widths, strict=True):
        if width != widths[0]:
            raise ValueError(
                f"graph {graph.place}: found {width} {what} of type {shown!r}, expected {widths[0]} as in graph "
                f"{graphs[0].place}"
            )
    return widths[0]


def _rows(of: Features, graph: PygGraph, rules: Mapping[Ends, GivenEdges]) -> Rows:
    store = graph.nodes[of.name]
    return Rows(
        _columns(store["x"]),
        store["time"] if of.timed else None,
        _columns(store["pos"]) if of.coordinates else None,
        {
            (ends[0], rule.name): EdgeList(
                graph.edges[ends]["edge_index"],
                graph.edges[ends].get("edge_weight") if rule.weighted else None,
                _features(graph.edges[ends]) if rule.features else None,
            )
            for ends, rule in rules.items()
            if ends[2] == of.name and ends in graph.edges
        },
    )


def _features(store: Mapping[str, Tensor]) -> Tensor | None:
    return _columns(store["edge_attr"]) if "edge_attr" in store else None


def _columns(values: Tensor) -> Tensor:
    return values.unsqueeze(1) if values.ndim == 1 else values.flatten(1)


def _warn(graphs: Sequence[PygGraph], node_types: Sequence[Features], rules: Mapping[Ends, GivenEdges]) -> None:
    unread = sorted(frozenset().union(*(graph.unread for graph in graphs)))
    for of in node_types:
        read = {"pos": of.coordinates > 0, "time": of.timed}
        found = {attribute for graph in graphs for attribute in graph.nodes.get(of.name, {})}
        partly = [attribute for attribute, is_read in read.items() if attribute in found and not is_read]
        unread += [f"{attribute} of {of.name!r}, which not all graphs have" for attribute in partly]
    for ends, rule in rules.items():
        read = {"edge_attr": rule.features > 0, "edge_weight": rule.weighted}
        found = {attribute for graph in graphs for attribute in graph.edges.get(ends, {})}
        partly = [attribute for attribute, is_read in read.items() if attribute in found and not is_read]
        unread += [f"{attribute} of {' '.join(ends)!r}, which not all graphs have" for attribute in partly]
    if unread:
        warnings.warn(f"attributes that are not read: {', '.join(unread)}", stacklevel=3)
