"""When `graph_attention(impl="auto")` computes all pairs of a graph's nodes rather than its edges alone."""

import torch

from gnnfuse.ops.attention.inputs import AttentionInputs

DENSE_FROM = 0.75  # edges per pair of one graph's node and row; README.md has what was measured
DENSE_NODES = 256  # nodes per graph, on average: smaller matrices gain too little


def nearly_complete(inputs: AttentionInputs) -> bool:
    """Whether so many pairs have an edge that "dense" is the fastest here.

    On the CPU alone, for the dot product; not for torch.export, as a program would refuse the sizes for which the
    answer is another. Under torch.compile only shapes are looked at, as if all graphs were of one size; `dense` then
    takes them whatever their sizes are.
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
