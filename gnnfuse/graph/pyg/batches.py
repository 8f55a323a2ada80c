"""To and from PyTorch Geometric's `HeteroData`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gnnfuse.edges import EdgeList, Relation
from gnnfuse.graph.assemble import as_values, assemble, list_edges
from gnnfuse.graph.graph_batch import GraphBatch
from gnnfuse.graph.ragged import Ragged
from gnnfuse.nodes import Layout

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

COMPANION = "gnnfuse"  # the attribute for everything that HeteroData has no convention for
NODE_ATTRIBUTES = frozenset({"x", "y", "pos", "time", "batch", "ptr", "num_nodes"})
EDGE_ATTRIBUTES = frozenset({"edge_index", "edge_weight", "edge_attr"})


def to_pyg(batch: GraphBatch) -> "HeteroData":
    """The batch as `HeteroData`, under PyG's own names.

    `data[type]` has `x` (the values `[nodes, ...]`), `batch`, `ptr`, and `pos` and `time` if the type has them;
    `data[src, rule, dst].edge_index` `[2, edges]` numbers nodes within their type, with `edge_weight` and `edge_attr`
    if the batch has weights and the relation features; `data.y` is the target. Everything without a PyG name (ids,
    which signals are present, the signals' shapes) is in the dictionary `data.gnnfuse`.

    Raises:
        ValueError: a node type is called "y" or "gnnfuse", names that are reserved here.

    Example:
        >>> from gnnfuse import edges, graph, nodes, sample
        >>> builder = graph.GraphBuilder([nodes.TextTokens()], [edges.Window(size=1)])
        >>> data = to_pyg(builder([sample.Sample({"text": "ab"}), sample.Sample({})], empty=True))
        >>> data["text"].x.tolist(), data["text", "window", "text"].edge_index.tolist()
        ([100, 101], [[1, 0], [0, 1]])
    """
    from torch_geometric.data import HeteroData

    taken = {"y", COMPANION} & set(batch.node_types)
    if taken:
        raise ValueError(f"found a node type {sorted(taken)[0]!r}, expected another name: HeteroData needs this one")
    data = HeteroData()
    for name, values in batch.values.items():
        layout, store = batch.layout[name], data[name]
        store.x, store.batch, store.ptr = values, layout.graph_id, layout.offsets
        if layout.position is not None:
            store.pos = layout.position
        if layout.time is not None:
            store.time = layout.time
    for relation, (index, weight, features) in list_edges(batch).items():
        store = data[relation.triple]
        store.edge_index = index
        if weight is not None:
            store.edge_weight = weight
        if features is not None:
            store.edge_attr = features
    if isinstance(batch.target, Ragged):
        _set_node_target(data, batch.target)
    elif batch.target is not None:
        data.y = batch.target
    data[COMPANION] = {
        "ids": list(batch.ids),
        "modalities": list(batch.modalities),
        "present": batch.present,
        "shape": {name: layout.shape for name, layout in batch.layout.items()},
        "dropped": {name: layout.dropped for name, layout in batch.layout.items()},
        "place": {name: layout.place for name, layout in batch.layout.items() if layout.place is not None},
    }
    return data


def from_pyg(data: "HeteroData") -> GraphBatch:
    """`HeteroData` as a batch: `from_pyg(to_pyg(batch)) == batch`, bit for bit.

    Any `HeteroData` is accepted, one graph (no `batch`) or several joined by PyG's `Batch`: `x` becomes the values,
    `pos` the positions, `time` (`[nodes, 2]`, start and end) the times, `data.y` (`[graphs, ...]`) the target, or `y`
    of one node type (`[nodes, ...]`); every node type counts as a modality, present in the samples that have nodes of
    it. `edge_attr` (`[edges, features]`, or `[edges]` for one) becomes the features of a relation's edges,
    `edge_weight` their weights. Numbers become float32 (times and positions relative to their sample's first if that is
    far from 0); integers of shape `[nodes]` (ids) and integer targets become int64. The batch remembers the order of
    the edges, so that `to_pyg(from_pyg(data))` has them in the order of `data` (and has `batch` and `ptr` even if
    `data` has none).

    Raises:
        ValueError: anything but one `HeteroData`, a type without `x`, nodes of a sample that are not contiguous,
            types that are batched for different numbers of samples, edges that do not fit, or an attribute that a batch
            cannot hold; the message names it.

    Example:
        >>> from torch_geometric.data import HeteroData
        >>> data = HeteroData()
        >>> data["user"].x, data["film"].x = torch.rand(2, 4), torch.rand(3, 5)
        >>> data["user", "likes", "film"].edge_index = torch.tensor([[1, 0, 1], [2, 0, 0]])
        >>> batch = from_pyg(data)
        >>> batch.node_types, batch.edges.src.tolist()
        (('user', 'film'), [0, 1, 1])
    """
    _refuse_others(data)
    _refuse_unknown(data)
    companion: Mapping[str, Any] | None = getattr(data, COMPANION, None)
    num_graphs = _num_graphs(data)
    if companion is not None:
        _check_companion(companion, data.node_types, num_graphs)
    values = {name: data[name].x for name in data.node_types}
    if companion is None:
        values = {name: as_values(x, f"data[{name!r}].x") for name, x in values.items()}
    layout = {name: _layout(data, name, num_graphs, companion) for name in data.node_types}
    edge_lists = dict(_edge_list(key, data[key]) for key in data.edge_types)
    target = _node_target(data, layout) or _target(getattr(data, "y", None), num_graphs)
    if companion is not None:
        ids, modalities, present = tuple(companion["ids"]), tuple(companion["modalities"]), companion["present"]
    else:
        ids, modalities = tuple(map(str, range(num_graphs))), tuple(data.node_types)
        present = torch.stack([layout[name].offsets.diff() > 0 for name in modalities], dim=1)
    return assemble(values, layout, edge_lists, target=target, ids=ids, modalities=modalities, present=present)


def _refuse_others(found: object) -> None:
    from torch_geometric.data import Data, HeteroData

    if isinstance(found, HeteroData):
        return
    hint = ""
    if isinstance(found, Data):
        hint = ": data.to_heterogeneous() makes one"
    elif isinstance(found, list | tuple):
        hint = ": torch_geometric.data.Batch.from_data_list puts several together"
    raise ValueError(f"found a {type(found).__name__}, expected one HeteroData{hint}")


def _edge_list(key: tuple[str, str, str], store: Mapping[str, Any]) -> tuple[Relation, EdgeList]:
    """The relation of an edge type, and its edges."""
    weight, features = store.get("edge_weight"), store.get("edge_attr")
    for name, found in (("edge_weight", weight), ("edge_attr", features)):
        if found is not None and (not isinstance(found, Tensor) or found.ndim not in (1, 2)):
            raise ValueError(
                f"data[{key!r}].{name}: found a {type(found).__name__}, expected a tensor, one row per edge"
            )
    if features is not None and features.ndim == 1:
        features = features.unsqueeze(1)
    weight = weight.squeeze(1) if weight is not None and weight.ndim == 2 and weight.shape[1] == 1 else weight
    width = 0 if features is None else features.shape[1]
    return Relation(*key, features=width), EdgeList(_whole(store["edge_index"]), weight, features)


def _whole(numbers: Tensor) -> Tensor:
    """Integers as int64; other values unchanged, for later checks to refuse."""
    return numbers if numbers.is_floating_point() or numbers.dtype == torch.bool else numbers.long()


def _set_node_target(data: "HeteroData", target: Ragged) -> None:
    if target.of is None:
        raise ValueError("found a target of varying length that belongs to no node type, which HeteroData cannot hold")
    data[target.of].y = target.values


def _node_target(data: "HeteroData", layout: Mapping[str, Layout]) -> Ragged | None:
    """One number or row per node of the only type with `y`."""
    having = [name for name in data.node_types if "y" in data[name]]
    if not having:
        return None
    if len(having) > 1 or "y" in data._global_store:
        others = having[1:] or ["the graph"]
        raise ValueError(f"data[{having[0]!r}].y: found y of {', '.join(others)} too, expected one target")
    (of,) = having
    found = data[of].y
    if not isinstance(found, Tensor) or found.ndim == 0 or len(found) != len(layout[of].graph_id):
        raise ValueError(f"data[{of!r}].y: found {type(found).__name__}, expected one row per node")
    return Ragged(_whole(found), layout[of].offsets, of)


def _target(found: object, num_graphs: int) -> Tensor | None:
    if found is None:
        return None
    if not isinstance(found, Tensor):
        raise ValueError(f"data.y: found a {type(found).__name__}, expected a tensor [{num_graphs}, ...]")
    if found.ndim == 0 or len(found) != num_graphs:
        raise ValueError(f"data.y: found shape {list(found.shape)}, expected [{num_graphs}, ...]: one row per graph")
    return found.float() if found.is_floating_point() or found.dtype == torch.bool else found.long()


def _refuse_unknown(data: "HeteroData") -> None:
    if not data.node_types:
        raise ValueError("HeteroData: found no node types, expected at least one")
    known = {"graph": frozenset({"y", COMPANION}), "node": NODE_ATTRIBUTES, "edge": EDGE_ATTRIBUTES}
    kinds = [("graph", "data", data._global_store)]
    kinds += [("node", f"data[{name!r}]", data[name]) for name in data.node_types]
    kinds += [("edge", f"data[{key!r}]", data[key]) for key in data.edge_types]
    for kind, where, store in kinds:
        unknown = sorted(set(store.keys()) - known[kind])
        if unknown:
            raise ValueError(
                f"{where}: found {', '.join(unknown)}, expected only {', '.join(sorted(known[kind]))}: "
                "a batch has no place for more; delete it from a copy first"
            )
        needed = {"node": "x", "edge": "edge_index"}.get(kind)
        if needed and not isinstance(store.get(needed), Tensor):
            raise ValueError(f"{where}: found no tensor {needed}, expected one")
        for name in {"x", "batch", "ptr"} & set(store.keys()):
            if not isinstance(store[name], Tensor) or store[name].ndim == 0:
                raise ValueError(f"{where}.{name}: found {store[name]!r}, expected a tensor of one axis or more")


def _num_graphs(data: "HeteroData") -> int:
    companion = getattr(data, COMPANION, None)
    if companion is not None:
        return len(companion["ids"])
    known = getattr(data, "_num_graphs", None)  # PyG's Batch counts them
    if known is not None:
        return int(known)
    stores = [data[name] for name in data.node_types]
    pointers = [store.ptr.numel() - 1 for store in stores if "ptr" in store]
    numbers = [int(store.batch.max()) + 1 for store in stores if "batch" in store and store.batch.numel()]
    found: int = max([1, *pointers, *numbers])
    return found


def _layout(data: "HeteroData", name: str, num_graphs: int, companion: Mapping[str, Any] | None) -> Layout:
    store, where = data[name], f"data[{name!r}]"
    nodes, device = len(store.x), store.x.device
    if store.get("num_nodes", nodes) != nodes:
        raise ValueError(f"{where}: found num_nodes={store.num_nodes}, expected {nodes}, the rows of x")
    if "batch" not in store and num_graphs > 1:
        raise ValueError(f"{where}: found no batch, expected one, as there are {num_graphs} graphs")
    graph_id = _whole(store.batch) if "batch" in store else torch.zeros(nodes, dtype=torch.int64, device=device)
    within = graph_id.dtype == torch.int64 and bool(((graph_id >= 0) & (graph_id < num_graphs)).all())
    if graph_id.shape != (nodes,) or not within or bool((graph_id.diff() < 0).any()):
        raise ValueError(
            f"{where}.batch: found shape {list(graph_id.shape)} of {graph_id.dtype}, expected [{nodes}] whole "
            f"numbers in 0..{num_graphs - 1}, ascending"
        )
    offsets = torch.zeros(num_graphs + 1, dtype=torch.int64, device=device)
    torch.cumsum(torch.bincount(graph_id, minlength=num_graphs)[:num_graphs], 0, out=offsets[1:])
    if not torch.equal(_whole(store.ptr) if "ptr" in store else offsets, offsets):
        raise ValueError(
            f"{where}: found ptr {store.ptr.tolist()}, expected {offsets.tolist()} for {num_graphs} graphs; PyG's "
            "Batch numbers nodes wrongly where a sample lacks a type: give such samples an empty x and edge_index"
        )
    counts = offsets.diff()
    for field, widths in (("pos", "[nodes, coordinates]"), ("time", "[nodes, 2]")):
        found = store.get(field)
        if found is not None and not isinstance(found, Tensor):
            raise ValueError(f"{where}.{field}: found a {type(found).__name__}, expected a tensor {widths}")
        if found is not None and (found.ndim != 2 or len(found) != nodes or (field == "time" and found.shape[1] != 2)):
            raise ValueError(f"{where}.{field}: found shape {list(found.shape)}, expected {widths}")
    return Layout(
        graph_id=graph_id,
        offsets=offsets,
        shape=counts.unsqueeze(1) if companion is None else companion["shape"][name],
        position=_wide(store.get("pos")),
        time=_wide(store.get("time")),
        dropped=torch.zeros_like(counts) if companion is None else companion["dropped"][name],
        place=_place(companion, name, nodes),
    )


def _place(companion: Mapping[str, Any] | None, name: str, nodes: int) -> Tensor | None:
    """The nodes' places in their signals, if some were left out; data from earlier versions has none."""
    place: Tensor | None = None if companion is None else companion.get("place", {}).get(name)
    if place is not None and len(place) != nodes:
        raise ValueError(
            f"data.{COMPANION}: found the places of {len(place)} nodes of type {name!r}, expected {nodes}; delete "
            f"data.{COMPANION} to read the rest without them"
        )
    return place


def _wide(numbers: Tensor | None) -> Tensor | None:
    """Times and positions at full precision: float64 if float32 might lose some."""
    narrow = numbers is not None and (numbers.is_floating_point() and numbers.dtype != torch.float64)
    return numbers if numbers is None else numbers.float() if narrow else numbers.double()


def _check_companion(companion: Mapping[str, Any], node_types: list[str], num_graphs: int) -> None:
    rows = [companion["present"], *companion["shape"].values(), *companion["dropped"].values()]
    fits = isinstance(companion["present"], Tensor) and all(len(row) == num_graphs for row in rows)
    if not fits or set(companion["shape"]) != set(node_types) or not all(isinstance(i, str) for i in companion["ids"]):
        raise ValueError(
            f"data.{COMPANION}: found records of types {sorted(companion['shape'])} that do not fit {num_graphs} "
            f"graphs of types {sorted(node_types)}; delete data.{COMPANION} to read the rest without them"
        )
