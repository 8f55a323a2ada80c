"""The sixth stage: one vector per graph."""

from gnnfuse.readout.attention import AttentionReadout
from gnnfuse.readout.hub import HubReadout
from gnnfuse.readout.mean import MeanReadout
from gnnfuse.readout.readout import Readout

__all__ = ["AttentionReadout", "HubReadout", "MeanReadout", "Readout"]
