"""Turns image patches into vectors, without pretrained weights."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout, NodeEncoder
from gnnfuse.nodes.position import PositionEncoding


class PatchEncoding(ABC):
    """A way to encode patches; its constructor is its configuration."""

    @abstractmethod
    def module(self, channels: int, patch: int, dim: int) -> NodeEncoder:
        """A new encoder for patches `[nodes, channels, patch, patch]` of pixels in 0..1."""


@dataclass(frozen=True, kw_only=True)
class LinearPatches(PatchEncoding):
    """A linear map of the pixels of a patch.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021), equation 1.
    """

    def module(self, channels: int, patch: int, dim: int) -> NodeEncoder:
        """Flatten, then one linear layer."""
        return PatchEncoder(nn.Sequential(nn.Flatten(), nn.Linear(channels * patch * patch, dim)), dim)


@dataclass(frozen=True, kw_only=True)
class ConvPatches(PatchEncoding):
    """Two small convolutions within a patch, then a linear map.

    Args:
        width: channels of the first convolution; the second has twice as many.
    """

    width: int = 32

    def module(self, channels: int, patch: int, dim: int) -> NodeEncoder:
        """Convolution, halving, convolution, flatten, linear."""
        side = -(-patch // 2)
        network = nn.Sequential(
            nn.Conv2d(channels, self.width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(self.width, 2 * self.width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(2 * self.width * side * side, dim),
        )
        return PatchEncoder(network, dim)


class PatchEncoder(NodeEncoder):
    """A network applied to each patch separately, plus its place in the picture."""

    def __init__(self, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.network = network
        self.dim = dim
        self.position = PositionEncoding(dim, coordinates=2)
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, values: Float[Tensor, "nodes channels height width"], layout: Layout
    ) -> Float[Tensor, "nodes dim"]:
        """Pixels in 0..1 in, states out."""
        assert layout.position is not None, "image patches always provide positions"
        states: Tensor = self.norm(self.network(values * 2 - 1) + self.position(layout.position))
        return states
