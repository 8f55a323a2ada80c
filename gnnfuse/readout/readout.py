"""The readout interface."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.readout.fused import Fused


class Readout(nn.Module, ABC):
    """One vector per graph from the states of its nodes.

    Attributes:
        gives: outputs of `read` besides the vector: "parts", the contribution of each modality, or nothing.
    """

    gives: frozenset[str] = frozenset()

    @abstractmethod
    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in; out one vector per graph, defined and finite for a graph without nodes, and all of `gives`."""

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """States in, one vector per graph out."""
        return self.read(states, batch).vector
