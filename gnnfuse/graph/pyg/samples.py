"""A PyTorch Geometric data set as samples, for training like any others."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from gnnfuse.edges import EdgeRule
from gnnfuse.edges.given import GivenEdges
from gnnfuse.nodes import Features, NodeType
from gnnfuse.sample import Rows, Sample

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData

NODE, EDGE = "node", "edge"  # the types of a `Data`, which has one of each
READ = {"x", "pos", "time", "y", "edge_index", "num_nodes", "batch", "ptr"}
Ends = tuple[str, str, str]


def samples_of(
    dataset: "Iterable[HeteroData | Data]",
) -> tuple[list[Sample], tuple[NodeType, ...], tuple[EdgeRule, ...]]:
    """Samples from a data set's graphs, with the node types and edge rules that rebuild the same graphs.

    Every node type is a signal, `Features` of its `x` (a column if it is `[nodes]`), with positions if all graphs have
    `pos` and times if all have `time` (`[nodes, 2]`). A type without nodes in a graph is a missing signal. Every edge
    type is a `GivenEdges` with its name, put between the names of its ends if two edge types share a name. The target
    is the graph's `y` (a number, or a list of several), or the `y` of one node type as a list.

    Args:
        dataset: graphs of one kind; each `Data` has the node type "node" and the edge type "edge".

    Raises:
        ValueError: no graphs, or a graph whose nodes lack `x` or have another number of features; names the graph.

    Warns:
        UserWarning: attributes that are not read, such as `edge_attr`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from gnnfuse.graph import GraphBuilder, NumberTarget
        >>> ring = Data(x=torch.rand(3, 4), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), y=torch.tensor([1.5]))
        >>> samples, node_types, edge_rules = samples_of([ring])
        >>> GraphBuilder(node_types, edge_rules, target=NumberTarget())(samples)
        GraphBatch(1 graphs; nodes: node 3; edges: node-edge-node 3; cpu)
    """
    graphs = [_graph(place, data) for place, data in enumerate(dataset)]
    if not graphs:
        raise ValueError("found no graphs, expected at least one")
    names = _names(sorted({ends for graph in graphs for ends in graph.edges}))
    types = sorted({name for graph in graphs for name in graph.nodes})
    node_types = tuple(_node_type(name, graphs, names) for name in types)
    samples = [
        Sample(
            {of.name: _rows(of, graph, names) for of in node_types if _has_nodes(graph, of.name)},
            graph.target,
            str(graph.place),
        )
        for graph in graphs
    ]
    rules = tuple(GivenEdges(src=ends[0], dst=ends[2], name=name) for ends, name in names.items())
    _warn(graphs)
    return samples, node_types, rules


class _Graph(NamedTuple):
    place: int
    nodes: Mapping[str, Mapping[str, Any]]  # type -> attribute -> PyG's value
    edges: Mapping[Ends, Tensor]
    target: object
    unread: frozenset[str]


def _graph(place: int, data: "HeteroData | Data") -> _Graph:
    from torch_geometric.data import Data, HeteroData

    if isinstance(data, HeteroData):
        nodes = {name: dict(data[name].items()) for name in data.node_types}
        edges = {ends: dict(data[ends].items()) for ends in data.edge_types}
        target = data._global_store.get("y")
    elif isinstance(data, Data):
        held = dict(data._store.items())
        of_edges = {name: held.pop(name) for name in data.edge_attrs()}
        of_graph = held.pop("y", None) if "y" not in data.node_attrs() else None
        nodes, edges, target = {NODE: held}, {(NODE, EDGE, NODE): of_edges} if of_edges else {}, of_graph
    else:
        raise ValueError(f"graph {place}: found a {type(data).__name__}, expected torch_geometric's Data or HeteroData")
    labels = [store["y"] for store in nodes.values() if store.get("y") is not None]
    found = {*chain(*nodes.values()), *chain(*edges.values())}
    listed = {ends: store["edge_index"] for ends, store in edges.items() if "edge_index" in store}
    target = target if target is not None else labels[0] if labels else None
    return _Graph(place, nodes, listed, _plain(target), frozenset(found - READ))


def _plain(target: object) -> object:
    """A number, or a list of several; None stays."""
    if not isinstance(target, Tensor):
        return target
    return target.item() if target.numel() == 1 else target.squeeze(0).tolist()


def _names(ends: Sequence[Ends]) -> dict[Ends, str]:
    """The edge name of each edge type: the type's name, with its ends if the name is not unique."""
    often = Counter(rule for _, rule, _ in ends)
    return {(src, rule, dst): rule if often[rule] == 1 else f"{src}_{rule}_{dst}" for src, rule, dst in ends}


def _has_nodes(graph: _Graph, name: str) -> bool:
    x = graph.nodes.get(name, {}).get("x")
    if x is None and graph.nodes.get(name, {}).get("num_nodes", 0):
        raise ValueError(f"graph {graph.place}: nodes of type {name!r} have no x, expected features [nodes, ...]")
    return x is not None and len(x) > 0


def _node_type(name: str, graphs: Sequence[_Graph], names: Mapping[Ends, str]) -> Features:
    having = [graph for graph in graphs if _has_nodes(graph, name)]
    if not having:
        raise ValueError(f"found no nodes of type {name!r} with features x in any graph, expected some")
    stores = [graph.nodes[name] for graph in having]
    widths = [_column(store["x"]).shape[1] for store in stores]
    if (other := next((place for place, width in enumerate(widths) if width != widths[0]), None)) is not None:
        raise ValueError(
            f"graph {having[other].place}: found {widths[other]} features of type {name!r}, expected {widths[0]} as in "
            f"graph {having[0].place}"
        )
    placed = all(store.get("pos") is not None for store in stores)
    return Features(
        signal=name,
        width=widths[0],
        timed=all(store.get("time") is not None for store in stores),
        coordinates=stores[0]["pos"].shape[1] if placed else 0,
        linked=any(dst == name for _, _, dst in names),
        max_nodes=None,
    )


def _rows(of: Features, graph: _Graph, names: Mapping[Ends, str]) -> Rows:
    store = graph.nodes[of.name]
    into = {ends: name for ends, name in names.items() if ends[2] == of.name and ends in graph.edges}
    return Rows(
        _column(store["x"]),
        store["time"] if of.timed else None,
        store["pos"] if of.coordinates else None,
        {(ends[0], name): graph.edges[ends] for ends, name in into.items()},
    )


def _column(x: Tensor) -> Tensor:
    return x.unsqueeze(1) if x.ndim == 1 else x.flatten(1)


def _warn(graphs: Sequence[_Graph]) -> None:
    unread = sorted(frozenset().union(*(graph.unread for graph in graphs)))
    if unread:
        warnings.warn(f"attributes that are not read: {', '.join(unread)}", stacklevel=3)
