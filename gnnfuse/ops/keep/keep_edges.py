"""Removes nodes or edges from a graph's edge lists and renumbers the rest."""

from typing import Literal

from jaxtyping import Bool
from torch import Tensor

from gnnfuse.ops.check_edges import check_edges, check_indices
from gnnfuse.ops.choose import auto_on_cpu, check_runs
from gnnfuse.ops.edges import Edges
from gnnfuse.ops.keep.keep_rows import check_mask
from gnnfuse.ops.keep.numba import keep_edges_numba
from gnnfuse.ops.keep.reference import keep_edges_reference

Impl = Literal["auto", "reference", "numba"]


def keep_edges(
    edges: Edges, nodes: Bool[Tensor, "nodes"], kept: Bool[Tensor, "edges"] | None = None, *, impl: Impl = "auto"
) -> Edges:
    """The edges between remaining nodes, with nodes and edges renumbered in their old order.

    No edge is sorted again. On an accelerator it synchronises once, for the numbers of remaining nodes and edges.

    Args:
        edges: from nodes into nodes.
        nodes: `[nodes]`, whether each node stays.
        kept: `[edges]`, in the forward order, whether each edge may stay; None for all.
        impl: "reference" is plain PyTorch, on any device. "numba" is one walk over the edges on the CPU. Both give the
            same bits; "auto" chooses numba on the CPU if it is installed.

    Raises:
        ValueError: a mask of another dtype, length or device, edges of wrong lengths, an index out of range (on
            accelerators: within `checked_indices()`), or `impl` is unknown or for another device.
        RuntimeError: `impl` needs a package that is not installed.

    Example:
        >>> import torch
        >>> from gnnfuse.ops import edges_from_index
        >>> edges = edges_from_index(torch.tensor([0, 2, 1]), torch.tensor([1, 1, 2]), num_nodes=3)
        >>> found = keep_edges(edges, torch.tensor([False, True, True]))
        >>> found.offsets.tolist(), found.src.tolist(), found.transpose.edge.tolist()
        ([0, 1, 2], [1, 0], [1, 0])
    """
    device, count = edges.src.device, edges.num_nodes
    check_edges(edges, nodes=count, rows=count, device=device)
    check_mask("nodes", nodes, count, device)
    if kept is not None:
        check_mask("kept", kept, edges.num_edges, device)
    check_indices(edges, nodes=count, rows=count)
    if impl == "auto":
        impl = auto_on_cpu() if device.type == "cpu" else "reference"
    check_runs(impl, ("reference", "numba"), device)
    return {"reference": keep_edges_reference, "numba": keep_edges_numba}[impl](edges, nodes, kept)
