"""Fusion without attention between modalities: one modality alone, all concatenated, or summaries side by side."""

from gnnfuse.fusion.classical.concat import Concat
from gnnfuse.fusion.classical.pooled_states import PooledStates
from gnnfuse.fusion.classical.unimodal import Unimodal

__all__ = ["Concat", "PooledStates", "Unimodal"]
