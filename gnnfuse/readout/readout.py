"""What a readout is."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch


class Readout(nn.Module, ABC):
    """One vector per graph from the states of its nodes."""

    @abstractmethod
    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """States in, one vector per graph out; a graph without nodes gets a defined, finite vector."""
