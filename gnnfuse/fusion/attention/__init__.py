"""Fusion by dense attention."""

from gnnfuse.fusion.attention.joint_transformer import JointTransformer
from gnnfuse.fusion.attention.modality_attention import ModalityAttention

__all__ = ["JointTransformer", "ModalityAttention"]
