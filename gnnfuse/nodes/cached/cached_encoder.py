"""The rest of a pretrained encoder when its features are cached: the trained projection."""

from jaxtyping import Float
from torch import Tensor

from gnnfuse.nodes.node_type import Layout, NodeEncoder


class CachedEncoder(NodeEncoder):
    """A projection under the same name as in `PretrainedEncoder`, so that weights fit both.

    Args:
        projection: features in, states out.
    """

    def __init__(self, projection: NodeEncoder) -> None:
        super().__init__()
        self.projection = projection

    def forward(self, values: Float[Tensor, "nodes width"], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Features in, states out."""
        states: Tensor = self.projection(values, layout)
        return states
