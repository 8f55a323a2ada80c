"""Fusion without attention between modalities: one modality alone, or all concatenated."""

from gnnfuse.fusion.classical.concat import Concat
from gnnfuse.fusion.classical.unimodal import Unimodal

__all__ = ["Concat", "Unimodal"]
