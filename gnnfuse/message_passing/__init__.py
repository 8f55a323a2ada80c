"""The fifth stage: updates node states from those of their neighbours."""

from gnnfuse.message_passing.gatv2 import GATv2
from gnnfuse.message_passing.hgt import HGT
from gnnfuse.message_passing.message_layer import LayerFactory, MessageLayer
from gnnfuse.message_passing.nearest_states import NearestStates
from gnnfuse.message_passing.pyg_layer import PyGLayer
from gnnfuse.message_passing.relation_attention import RelationAttention
from gnnfuse.message_passing.rgcn import RGCN
from gnnfuse.message_passing.sage import SAGE
from gnnfuse.message_passing.simmim import SimMIM
from gnnfuse.message_passing.typed_linear import TypedLinear

__all__ = [  # noqa: RUF022 - plainly sorted, as in every stage; the rule would put names in capitals first
    "GATv2",
    "HGT",
    "LayerFactory",
    "MessageLayer",
    "NearestStates",
    "PyGLayer",
    "RGCN",
    "RelationAttention",
    "SAGE",
    "SimMIM",
    "TypedLinear",
]
