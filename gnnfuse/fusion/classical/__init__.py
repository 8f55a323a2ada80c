"""Fusion without attention between modalities: one alone, or side by side."""

from gnnfuse.fusion.classical.concat import Concat
from gnnfuse.fusion.classical.unimodal import Unimodal

__all__ = ["Concat", "Unimodal"]
