"""Tensor operators over compressed edge lists: they know no graph and no module."""

from gnnfuse.ops.attention import graph_attention
from gnnfuse.ops.edges import Edges, Transpose, edges_from_index

__all__ = ["Edges", "Transpose", "edges_from_index", "graph_attention"]
