"""Tensor operators over compressed edge lists, independent of graphs and modules."""

from gnnfuse.ops.attention import graph_attention
from gnnfuse.ops.check_edges import checked_indices
from gnnfuse.ops.cpu.kept_memory import release_memory
from gnnfuse.ops.edges import Edges, Transpose, edges_from_index
from gnnfuse.ops.keep import KeptRows, edges_between, keep_edges, keep_rows
from gnnfuse.ops.merge_edges import PackedEdges, merge_edges, pack_edges
from gnnfuse.ops.neighbor_sum import neighbor_sum
from gnnfuse.ops.pixel_patches import pixel_patches
from gnnfuse.ops.relation_matmul import relation_matmul
from gnnfuse.ops.relation_rows import relation_rows
from gnnfuse.ops.segment import segment_reduce, segment_softmax
from gnnfuse.ops.typed_linear import typed_linear

__all__ = [
    "Edges",
    "KeptRows",
    "PackedEdges",
    "Transpose",
    "checked_indices",
    "edges_between",
    "edges_from_index",
    "graph_attention",
    "keep_edges",
    "keep_rows",
    "merge_edges",
    "neighbor_sum",
    "pack_edges",
    "pixel_patches",
    "relation_matmul",
    "relation_rows",
    "release_memory",
    "segment_reduce",
    "segment_softmax",
    "typed_linear",
]
