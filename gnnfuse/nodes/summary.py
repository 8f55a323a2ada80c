"""The summary interface: numbers that describe all nodes of a sample without being learned."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout
from gnnfuse.ops import segment_reduce


class NodeSummary(nn.Module, ABC):
    """Describes all nodes of one type in a sample by a fixed number of numbers, for linear models and trees.

    A summary has no parameters; tables of constants are buffers. A sample gets the same numbers in a batch as alone,
    and zeros if it has no nodes of the type.

    Args:
        width: numbers per sample.

    Attributes:
        own_scales: whether each column has a scale of its own; else all columns share one, as counts do, since scales
            of their own would inflate those of rare features.
    """

    own_scales: bool = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, values: Shaped[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "graphs width"]:
        """The nodes' values in, one row of numbers per sample out."""


class MeanSummary(NodeSummary):
    """The mean of the values of a sample's nodes, such as features of a frozen encoder.

    Args:
        width: numbers per node.

    Example:
        >>> import torch
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.nodes import Features
        >>> from gnnfuse.sample import Sample
        >>> sensor = Features(signal="sensor", width=2)
        >>> batch = GraphBuilder([sensor])([Sample({"sensor": torch.tensor([[1.0, 2.0], [3.0, 6.0]])}), Sample({})],
        ...     empty=True)
        >>> sensor.summary()(batch.values["sensor"], batch.layout["sensor"]).tolist()
        [[2.0, 4.0], [0.0, 0.0]]
    """

    def forward(self, values: Float[Tensor, "nodes width"], layout: Layout) -> Float[Tensor, "graphs width"]:
        """Rows in, means out."""
        return segment_reduce(values, offsets=layout.offsets, reduce="mean")
