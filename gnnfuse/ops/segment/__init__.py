"""Reductions and softmax over the segments that an unsorted index names."""

from gnnfuse.ops.segment.segment import segment_reduce, segment_softmax

__all__ = ["segment_reduce", "segment_softmax"]
