"""One graph of PyTorch Geometric as plain mappings of checked tensors, the same for `Data` and `HeteroData`."""

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from gnnfuse.sample import Sample
from gnnfuse.sample.numbers import as_tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData

NODE, EDGE = "node", "edge"  # the types of a `Data`, which has one of each
NUMBERS = ("x", "pos", "time")  # attributes of nodes that are read: tensors, arrays or nested lists
CARRIED = ("edge_weight", "edge_attr")  # likewise, attributes of edges
READ = {*NUMBERS, *CARRIED, "y", "edge_index", "num_nodes", "batch", "ptr"}
Ends = tuple[str, str, str]


class PygGraph(NamedTuple):
    """One graph of a data set.

    Args:
        place: its index in the data set, which names it in messages.
        nodes: node type -> "x", "pos", "time" -> tensor `[nodes, ...]`; a type without nodes is left out.
        labels: node type -> `y`; under None that of the graph (of a `Data`: of its graph or of its nodes).
        edges: edge type -> "edge_index" `[2, edges]`, "edge_weight" `[edges]`, "edge_attr" `[edges, ...]` -> tensor.
        unread: names of attributes that are not read.
    """

    place: int
    nodes: Mapping[str, Mapping[str, Tensor]]
    labels: Mapping[str | None, object]
    edges: Mapping[Ends, Mapping[str, Tensor]]
    unread: frozenset[str]

    def num_nodes(self, name: str) -> int:
        """The number of nodes of a type; 0 if it has none."""
        return len(self.nodes[name]["x"]) if name in self.nodes else 0


def read_graph(place: int, data: "HeteroData | Data") -> PygGraph:
    """Read a graph's attributes.

    Raises:
        ValueError: no graph, nodes without `x`, attributes that are not numbers, or edges of a type without nodes;
            names the graph.
    """
    nodes, edges, whole = _attributes(place, data)
    unread = {*chain(whole, *nodes.values(), *edges.values())} - READ
    labels: dict[str | None, object] = {name: held["y"] for name, held in nodes.items() if "y" in held}
    graph = PygGraph(
        place,
        {name: found for name, held in nodes.items() if (found := _node_tensors(place, name, held))},
        labels | ({None: whole["y"]} if "y" in whole else {}),
        {ends: _edge_tensors(place, ends, held) for ends, held in edges.items() if "edge_index" in held},
        frozenset(unread),
    )
    _check_ends(graph)
    return graph


def _attributes(
    place: int, data: "HeteroData | Data"
) -> tuple[dict[str, dict[str, Any]], dict[Ends, dict[str, Any]], dict[str, Any]]:
    """The attributes of each node type, of each edge type, and of the graph."""
    from torch_geometric.data import Data, HeteroData

    if isinstance(data, HeteroData):
        nodes = {name: dict(data[name].items()) for name in data.node_types}
        edges = {ends: dict(data[ends].items()) for ends in data.edge_types}
        return nodes, edges, dict(data._global_store.items())
    if not isinstance(data, Data):
        raise ValueError(f"graph {place}: found a {type(data).__name__}, expected torch_geometric's Data or HeteroData")
    held = dict(data._store.items())
    of_edges = {name: held.pop(name) for name in list(held) if name.startswith("edge_")}
    whole = {"y": held.pop("y")} if "y" in held else {}
    return {NODE: held}, {(NODE, EDGE, NODE): of_edges}, whole


def _node_tensors(place: int, name: str, held: Mapping[str, Any]) -> dict[str, Tensor]:
    """Empty for a type without nodes."""
    if held.get("x") is None and not held.get("num_nodes"):
        return {}
    if held.get("x") is None:
        raise ValueError(
            f"graph {place}: nodes of type {name!r} have no x, expected features [nodes, ...]; torch_geometric's "
            "transforms make some, such as Constant() or OneHotDegree()"
        )
    found = {what: _tensor(place, name, what, held[what]) for what in NUMBERS if held.get(what) is not None}
    if not found["x"].ndim:
        raise ValueError(f"graph {place}: found x of shape [] of type {name!r}, expected [nodes, ...]")
    return found if len(found["x"]) else {}


def _edge_tensors(place: int, ends: Ends, held: Mapping[str, Any]) -> dict[str, Tensor]:
    name = " ".join(ends)
    index = _tensor(place, name, "edge_index", held["edge_index"])
    index = torch.zeros(2, 0, dtype=torch.int64) if not index.numel() else index
    if index.ndim != 2 or len(index) != 2:
        raise ValueError(
            f"graph {place}: found edge_index of shape {list(index.shape)} of type {name!r}, expected [2, edges]"
        )
    found = {what: _tensor(place, name, what, held[what]) for what in CARRIED if held.get(what) is not None}
    for what, numbers in found.items():
        if not numbers.ndim or len(numbers) != index.shape[1]:
            raise ValueError(
                f"graph {place}: found {what} of shape {list(numbers.shape)} of type {name!r}, expected one row for "
                f"each of the {index.shape[1]} edges"
            )
    if "edge_weight" in found:
        found["edge_weight"] = found["edge_weight"].flatten()
    return {"edge_index": index} | found


def _tensor(place: int, name: str, what: str, value: object) -> Tensor:
    return as_tensor(Sample({}, id=str(place)), name, what, value, expected="an array, tensor or nested lists")


def _check_ends(graph: PygGraph) -> None:
    """Refuse edges at node types without nodes: such a type is a missing signal, which cannot carry edges."""
    for ends, held in graph.edges.items():
        number = held["edge_index"].shape[1]
        bare = [name for name in (ends[0], ends[2]) if not graph.num_nodes(name)]
        if number and bare:
            raise ValueError(
                f"graph {graph.place}: found {number} edges {' '.join(ends)!r}, expected none: there are no nodes of "
                f"type {bare[0]!r} with features x"
            )
