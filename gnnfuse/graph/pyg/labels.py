"""The `y` of graphs of PyTorch Geometric as targets of samples."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gnnfuse.graph.pyg.read_graph import NODE, PygGraph


def targets_of(graphs: Sequence[PygGraph]) -> list[object]:
    """The target of each graph; None for a graph without `y`.

    Whether `y` labels graphs or nodes is decided for the data set, not for each graph. The `y` of a `Data` belongs to
    nodes if it has one entry per node in every graph, and not all graphs have a single node. Labels of nodes are a
    list, even for one node; the label of a graph is a number, or a list of several.

    Raises:
        ValueError: `y` of two node types, or of a node type and of the graph; labels of nodes that are not one per
            node; or a `y` whose size changes from graph to graph.
    """
    of = _holder(graphs)
    labels = [_plain(graph.labels.get(of)) for graph in graphs]
    if of is None and not _one_per_node(graphs, labels):
        _check_sizes(graphs, labels)
        return [_of_graph(label) for label in labels]
    return [_of_nodes(graph, of or NODE, label) for graph, label in zip(graphs, labels, strict=True)]


def _holder(graphs: Sequence[PygGraph]) -> str | None:
    """The node type that has `y`; None if graphs have."""
    first: tuple[int, str | None] | None = None
    for graph in graphs:
        for of in graph.labels:
            first = (graph.place, of) if first is None else first
            if of != first[1]:
                raise ValueError(
                    f"graph {graph.place}: found y of {_named(of)}, and of {_named(first[1])} in graph {first[0]}, "
                    "expected one target; delete the other y from the data set"
                )
    return None if first is None else first[1]


def _named(of: str | None) -> str:
    return "the graph" if of is None else f"node type {of!r}"


def _plain(y: object) -> object:
    """Numbers as a tensor; a list of anything else, a name or None unchanged."""
    if isinstance(y, Tensor | str) or y is None:
        return y
    found = np.asarray(y)
    return torch.from_numpy(np.array(found)) if found.dtype.kind in "biuf" else found.tolist()


def _rows(label: object) -> int:
    """The number of labels along the first axis."""
    if isinstance(label, Tensor):
        return len(label) if label.ndim else 1
    return len(label) if isinstance(label, list) else 1


def _one_per_node(graphs: Sequence[PygGraph], labels: Sequence[object]) -> bool:
    """Whether the `y` of the data set can only belong to nodes."""
    both = [(graph.num_nodes(NODE), _rows(y)) for graph, y in zip(graphs, labels, strict=True) if y is not None]
    return all(nodes == rows for nodes, rows in both) and any(nodes != 1 for nodes, _ in both)


def _check_sizes(graphs: Sequence[PygGraph], labels: Sequence[object]) -> None:
    """Refuse a `y` whose size varies: neither one vector per graph nor one label per node."""
    sizes = [(graph, y.numel()) for graph, y in zip(graphs, labels, strict=True) if isinstance(y, Tensor)]
    for graph, size in sizes:
        if size != sizes[0][1]:
            raise ValueError(
                f"graph {graph.place}: found y of {size} numbers for {graph.num_nodes(NODE)} nodes, expected "
                f"{sizes[0][1]} as in graph {sizes[0][0].place}, or one per node in every graph"
            )


def _of_graph(label: object) -> object:
    """A number, or a list of several; anything else unchanged."""
    if not isinstance(label, Tensor):
        return label
    return label.item() if label.numel() == 1 else (label.squeeze(0) if label.ndim > 1 else label).tolist()


def _of_nodes(graph: PygGraph, of: str, label: object) -> object:
    """One label per node: a list; empty for a graph without nodes of the type."""
    nodes = graph.num_nodes(of)
    if label is None:
        return [] if not nodes else None
    if _rows(label) != nodes:
        raise ValueError(
            f"graph {graph.place}: found y of {_rows(label)} labels for {nodes} nodes of type {of!r}, expected one per "
            "node"
        )
    if not isinstance(label, Tensor):
        return label if isinstance(label, list) else [label]
    return (label.reshape(nodes) if label.numel() == nodes else label).tolist()
