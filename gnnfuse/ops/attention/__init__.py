"""Attention over the incoming edges of every node."""

from gnnfuse.ops.attention.attention import graph_attention

__all__ = ["graph_attention"]
