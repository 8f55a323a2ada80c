"""Sums, means and maxima over the incoming edges of every node."""

from gnnfuse.ops.neighbor_sum.neighbor_sum import neighbor_sum

__all__ = ["neighbor_sum"]
