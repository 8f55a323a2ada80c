"""Merges the edges of several graphs into those of one graph."""

from collections.abc import Sequence
from typing import Literal

import torch

from gnnfuse.ops.choose import auto_on_cpu, check_runs
from gnnfuse.ops.edges import MAX_COUNT, Edges
from gnnfuse.ops.merge_edges.numba import merge_edges_numba
from gnnfuse.ops.merge_edges.packed_edges import PackedEdges
from gnnfuse.ops.merge_edges.reference import merge_edges_reference

Impl = Literal["auto", "reference", "numba"]


def merge_edges(graphs: Sequence[PackedEdges], *, impl: Impl = "auto") -> Edges:
    """Merge graphs: number nodes type by type, within a type graph by graph, and edges accordingly.

    No edge is sorted again: within a node, and within a row of the transpose, merged edges keep their graph's order.

    Args:
        graphs: graphs with equal numbers of types; the same object may occur many times.
        impl: "reference" is plain PyTorch. "numba" is one pass over the numbers. Both give the same bits; "auto"
            chooses numba if it is installed.

    Raises:
        ValueError: no graphs, other objects among them, different numbers of types, more nodes or edges than int32
            can number, or `impl` is unknown.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> from gnnfuse.ops import edges_from_index, pack_edges
        >>> graph = pack_edges(edges_from_index(torch.tensor([1]), torch.tensor([0]), num_nodes=2), [1, 1])
        >>> merge_edges([graph, graph]).src.tolist()
        [2, 3]
    """
    check_graphs(graphs)
    if impl == "auto":
        impl = auto_on_cpu()
    check_runs(impl, ("reference", "numba"), torch.device("cpu"))
    return {"reference": merge_edges_reference, "numba": merge_edges_numba}[impl](graphs)


def check_graphs(graphs: Sequence[PackedEdges]) -> None:
    """Raise ValueError for graphs that cannot be merged."""
    if not graphs:
        raise ValueError("graphs must hold at least one graph, found none")
    strangers = [type(graph).__name__ for graph in graphs if not isinstance(graph, PackedEdges)]
    if strangers:
        raise ValueError(f"graphs must be PackedEdges, found {strangers[0]}")
    types = {len(graph.nodes) for graph in graphs}
    if len(types) > 1:
        raise ValueError(f"graphs must have equal numbers of node types, found {' and '.join(map(str, sorted(types)))}")
    nodes, edges = sum(graph.num_nodes for graph in graphs), sum(graph.num_edges for graph in graphs)
    if max(nodes, edges) > MAX_COUNT:
        raise ValueError(f"nodes and edges are numbered in int32, up to {MAX_COUNT}; found {nodes} and {edges}")
