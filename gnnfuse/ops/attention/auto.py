"""Decides when `graph_attention(impl="auto")` computes all pairs of a graph's nodes rather than its edges alone."""

import torch

from gnnfuse.ops.attention.inputs import AttentionInputs

DENSE_FROM = 0.75  # edges per pair of one graph's node and row; README.md has the measurements
DENSE_NODES = 256  # nodes per graph, on average: smaller matrices gain too little


def nearly_complete(inputs: AttentionInputs) -> bool:
    """Whether enough pairs have an edge for "dense" to be the fastest implementation.

    Only on the CPU and for the dot product; never for torch.export, as the exported program would refuse sizes for
    which the choice differs. Under torch.compile only shapes are read, as if all graphs had one size; `dense` then
    accepts any sizes.
    """
    if torch.compiler.is_exporting():
        return False
    query, edges, num_graphs = inputs.query, inputs.edges, inputs.num_graphs
    nodes = query.shape[0]
    rows = inputs.key.shape[0]
    if query.device.type != "cpu" or inputs.score_weight is not None:
        return False
    if num_graphs == 0 or nodes < DENSE_NODES * num_graphs:
        return False
    if edges.num_edges * num_graphs < DENSE_FROM * nodes * rows:
        return False  # even for graphs of one size, which have the fewest pairs
    if inputs.graph_id is None or torch.compiler.is_compiling():
        return True
    sizes = torch.bincount(inputs.graph_id.clamp(min=0))
    return edges.num_edges >= DENSE_FROM * int(sizes.square().sum()) * rows / nodes
