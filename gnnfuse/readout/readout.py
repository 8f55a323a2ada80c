"""What a readout is."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.readout.fused import Fused


class Readout(nn.Module, ABC):
    """One vector per graph from the states of its nodes.

    Attributes:
        gives: what `read` gives besides the vector: "parts", the contribution of each modality, or nothing.
    """

    gives: frozenset[str] = frozenset()

    @abstractmethod
    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in; out one vector per graph, defined and finite for a graph without nodes, and what `gives` names."""

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """States in, one vector per graph out."""
        return self.read(states, batch).vector
