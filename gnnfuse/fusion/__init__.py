"""The seventh stage: graph, attention and classical models fuse each graph of a batch into one vector."""

from gnnfuse.fusion.attention import CrossAttention, JointTransformer, ModalityAttention
from gnnfuse.fusion.classical import Concat, PooledStates, Unimodal
from gnnfuse.fusion.fusion_model import Family, FusionModel, NodeEncoders
from gnnfuse.fusion.graph import GraphFusion
from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.fusion.way_around import WayAround
from gnnfuse.readout import Fused

__all__ = [
    "Concat",
    "CrossAttention",
    "Family",
    "Fused",
    "FusionModel",
    "GraphFusion",
    "JointTransformer",
    "ModalityAttention",
    "NodeEncoders",
    "PooledStates",
    "TokenTransformer",
    "Unimodal",
    "WayAround",
]
