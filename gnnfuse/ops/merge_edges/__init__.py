"""Merges many graphs' edges into one graph's."""

from gnnfuse.ops.merge_edges.merge_edges import merge_edges
from gnnfuse.ops.merge_edges.packed_edges import PackedEdges, pack_edges

__all__ = ["PackedEdges", "merge_edges", "pack_edges"]
