"""Fusion by message passing."""

from gnnfuse.fusion.graph.graph_fusion import GraphFusion

__all__ = ["GraphFusion"]
