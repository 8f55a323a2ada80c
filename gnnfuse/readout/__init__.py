"""The sixth stage: one vector per graph."""

from gnnfuse.readout.additive import AdditiveReadout
from gnnfuse.readout.attention import AttentionReadout
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.hub import HubReadout
from gnnfuse.readout.interaction import InteractionReadout
from gnnfuse.readout.joined import JoinedReadout
from gnnfuse.readout.mean import MeanReadout
from gnnfuse.readout.readout import Readout
from gnnfuse.readout.typed import TypedReadout

__all__ = [
    "AdditiveReadout",
    "AttentionReadout",
    "Fused",
    "HubReadout",
    "InteractionReadout",
    "JoinedReadout",
    "MeanReadout",
    "Readout",
    "TypedReadout",
]
