"""The pretrained network inside an encoder: slices in, rows of features out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from gnnfuse.nodes.node_type import Layout
from gnnfuse.nodes.pretrained.cut import Cut


class Backbone(nn.Module, ABC):
    """A pretrained network on the slices of a batch.

    Samples are reassembled and run in groups of equal shape, so that none is padded to another's length.

    Attributes:
        network: the library's network.
        width: features per node.
    """

    network: nn.Module
    width: int

    @abstractmethod
    def forward(self, values: Shaped[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "nodes features"]:
        """The features of every node.

        Raises:
            ValueError: the number of states differs from what the network's stride implies.
        """

    @abstractmethod
    def states(self, values: Shaped[Tensor, "nodes ..."], layout: Layout, cut: Cut) -> Float[Tensor, "nodes numbers"]:
        """The states before the cut, which `features` takes: the network's head alone.

        Raises:
            ValueError: the state there cannot be divided among the nodes.
        """

    @abstractmethod
    def features(
        self, states: Float[Tensor, "nodes numbers"], layout: Layout, cut: Cut
    ) -> Float[Tensor, "nodes features"]:
        """The features of every node from the states before the cut: the network's tail alone."""

    @property
    def like(self) -> Tensor:
        """A tensor with the network's dtype and device."""
        return next(self.parameters())


def groups_of_equal(keys: Sequence[Hashable]) -> list[list[int]]:
    """The positions of equal keys, ordered by first position.

    Example:
        >>> groups_of_equal(["a", "b", "a"])
        [[0, 2], [1]]
    """
    places: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return list(places.values())


def rows_of(offsets: Int[Tensor, "graphs_plus_one"], graphs: Sequence[int], count: int) -> Int[Tensor, "graphs count"]:
    """The row numbers of graphs that have `count` rows each."""
    starts = offsets[torch.tensor(graphs, device=offsets.device)]
    return starts.unsqueeze(1) + torch.arange(count, device=offsets.device)


def in_order(
    found: Sequence[Float[Tensor, "_ features"]], rows: Sequence[Int[Tensor, "_"]], width: int, like: Tensor
) -> Float[Tensor, "nodes features"]:
    """Features of groups of rows, in the original order of the rows."""
    if not found:
        return like.new_zeros(0, width)
    return torch.cat(list(found))[torch.cat(list(rows)).argsort()]


def check_count(network: nn.Module, found: Sequence[int], expected: Sequence[int]) -> None:
    """Refuse a number of states other than declared.

    Raises:
        ValueError: always, unless they are equal.
    """
    if list(found) != list(expected):
        raise ValueError(
            f"{type(network).__name__}: found {' x '.join(map(str, found))} states, expected "
            f"{' x '.join(map(str, expected))} from its declared receptive field and stride"
        )


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over a module's names, dtypes, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {list(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
