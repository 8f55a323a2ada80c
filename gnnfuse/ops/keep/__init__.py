"""Removes rows and edges by masks."""

from gnnfuse.ops.keep.keep_edges import keep_edges
from gnnfuse.ops.keep.keep_rows import KeptRows, keep_rows
from gnnfuse.ops.keep.reference import edges_between

__all__ = ["KeptRows", "edges_between", "keep_edges", "keep_rows"]
