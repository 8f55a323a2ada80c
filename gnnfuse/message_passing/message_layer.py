"""The message-passing layer interface."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch, Relation


class MessageLayer(nn.Module, ABC):
    """Updates the states of all nodes from those of their neighbours.

    A layer is made for the node types and relations of one builder and accepts any of its batches.

    Attributes:
        takes: the edge data that the layer uses, a subset of {"weight", "features"}: "weight" multiplies messages by
            `batch.edge_weight`, "features" reads `batch.edge_features`. A model refuses edge data that one of its
            layers does not take.
    """

    takes: frozenset[str] = frozenset()

    @abstractmethod
    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "nodes dim"]:
        """States before in, states after out; a node without neighbours keeps a defined, finite state."""


LayerFactory = Callable[[int, Sequence[str], Sequence[Relation]], MessageLayer]
"""Makes a layer from (dim, node type names, relations): the class itself, or a partial with its options."""
