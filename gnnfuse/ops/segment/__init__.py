"""Reductions and softmax over segments, given by an unsorted index or sorted offsets."""

from gnnfuse.ops.segment.segment import segment_reduce, segment_softmax

__all__ = ["segment_reduce", "segment_softmax"]
