"""Fusion by dense attention."""

from gnnfuse.fusion.attention.cross_attention import CrossAttention
from gnnfuse.fusion.attention.joint_transformer import JointTransformer
from gnnfuse.fusion.attention.modality_attention import ModalityAttention

__all__ = ["CrossAttention", "JointTransformer", "ModalityAttention"]
