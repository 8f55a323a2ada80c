"""`merge_edges` in one pass over the numbers; numba is imported when it runs."""

from collections.abc import Sequence

import numpy as np
import torch

from gnnfuse.ops.cpu.one_block import empty_in_one_block
from gnnfuse.ops.edges import Edges, Transpose
from gnnfuse.ops.merge_edges.packed_edges import PackedEdges


def merge_edges_numba(graphs: Sequence[PackedEdges]) -> Edges:
    """As `merge_edges`."""
    from gnnfuse.ops.merge_edges.numba_kernels import merge_edges_kernel

    num_nodes, num_edges = sum(graph.num_nodes for graph in graphs), sum(graph.num_edges for graph in graphs)
    offsets, lists = empty_in_one_block([((2, num_nodes + 1), torch.int64), ((4, num_edges), torch.int32)])
    addresses = np.array([graph.numbers.data_ptr() for graph in graphs], dtype=np.uint64)
    merge_edges_kernel(addresses, len(graphs[0].nodes), offsets.numpy(), lists.numpy())
    # Through numpy, each list has a storage of its own, so pickling one carries no other.
    (forward, backward), (src, relation, edge, dst) = (map(torch.from_numpy, each.numpy()) for each in (offsets, lists))
    return Edges(forward, src, relation, Transpose(backward, edge, dst))
