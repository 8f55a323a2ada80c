"""`merge_edges` in one pass over the numbers; numba is imported when it runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnnfuse.ops.edges import Edges, Transpose
from gnnfuse.ops.merge_edges.packed_edges import PackedEdges


def merge_edges_numba(graphs: Sequence[PackedEdges]) -> Edges:
    """As `merge_edges` says."""
    from gnnfuse.ops.merge_edges.numba_kernels import merge_edges_kernel

    num_nodes, num_edges = sum(graph.num_nodes for graph in graphs), sum(graph.num_edges for graph in graphs)
    offsets, lists = empty_lists(num_nodes + 1, num_edges)
    addresses = np.array([graph.numbers.data_ptr() for graph in graphs], dtype=np.uint64)
    merge_edges_kernel(addresses, len(graphs[0].nodes), offsets, lists)
    (forward, backward), (src, relation, edge, dst) = map(torch.from_numpy, offsets), map(torch.from_numpy, lists)
    return Edges(forward, src, relation, Transpose(backward, edge, dst))


def empty_lists(num_offsets: int, num_edges: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two lists of offsets and four of edges, in one block of memory.

    The C library gives memory back to the system where more is free than twice the largest block there was, and the
    system then clears and maps it anew for the next batch. Small blocks meet that in every batch, and it costs several
    times what merging does.
    """
    head = 2 * 2 * num_offsets  # of int32
    block = np.empty(head + 4 * num_edges, dtype=np.int32)
    return block[:head].view(np.int64).reshape(2, num_offsets), block[head:].reshape(4, num_edges)
