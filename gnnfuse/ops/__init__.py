"""Tensor operators over compressed edge lists: they know no graph and no module."""

from gnnfuse.ops.attention import graph_attention
from gnnfuse.ops.edges import Edges, Transpose, edges_from_index
from gnnfuse.ops.segment import segment_reduce, segment_softmax

__all__ = ["Edges", "Transpose", "edges_from_index", "graph_attention", "segment_reduce", "segment_softmax"]
