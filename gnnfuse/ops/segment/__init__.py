"""Reductions and softmax over segments, which an unsorted index or sorted offsets name."""

from gnnfuse.ops.segment.segment import segment_reduce, segment_softmax

__all__ = ["segment_reduce", "segment_softmax"]
