"""The fifth stage: node states from those of their neighbours."""

from gnnfuse.message_passing.message_layer import LayerFactory, MessageLayer
from gnnfuse.message_passing.relation_attention import RelationAttention
from gnnfuse.message_passing.typed_linear import TypedLinear

__all__ = ["LayerFactory", "MessageLayer", "RelationAttention", "TypedLinear"]
