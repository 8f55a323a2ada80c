"""The graphs that layers are timed on, made by the library's own builder from node types and rules defined here."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gnnfuse.edges import EdgeRule, Grid, Window
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.nodes import Layout, NodeEncoder, NodeSet, NodeType
from gnnfuse.sample import Sample


class Given(NodeEncoder):
    """The values are the states."""

    def forward(self, values: Tensor, layout: Layout) -> Tensor:
        """`[nodes, width]` in and out."""
        return values


@dataclass(frozen=True, kw_only=True)
class States(NodeType):
    """Nodes that are given as their states; of one axis they form a sequence, of several a lattice.

    Args:
        name: names the type and the signal it reads, `[nodes, width]`.
        shape: how its nodes are laid out in one sample.
        width: size of the states.
    """

    name: str
    shape: tuple[int, ...]
    width: int
    signal: str = field(init=False)
    provides: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signal", self.name)
        object.__setattr__(self, "provides", frozenset({"order" if len(self.shape) == 1 else "grid"}))

    def empty(self) -> NodeSet:
        """No nodes."""
        return NodeSet(torch.zeros(0, self.width), (0,) * len(self.shape))

    def nodes(self, sample: Sample) -> NodeSet:
        """The states as they are."""
        values = sample.signals[self.signal]
        assert isinstance(values, Tensor)
        return NodeSet(values, self.shape)

    def encoder(self, dim: int) -> NodeEncoder:
        """Nothing to do."""
        return Given()


@dataclass(frozen=True, kw_only=True)
class PictureGrid(EdgeRule):
    """The 8 neighbours within a picture: along the last two axes, never from one picture to the next."""

    name: str = "grid"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """One type with itself, if it lies on a lattice."""
        return src.name == dst.name and "grid" in src.provides

    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        """Edges between neighbours, both ways."""
        *pictures, rows, columns = src.shape
        points = rows * columns
        picture = NodeSet(src.values[:points], (rows, columns))
        first = torch.arange(math.prod(pictures)) * points
        return (Grid().edges(picture, picture)[:, None, :] + first[:, None]).flatten(1)

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        """The lattice's shape."""
        return src.shape


@dataclass(frozen=True, kw_only=True)
class RandomSources(EdgeRule):
    """Joins every node with `count` different nodes of every other type, all such sets equally likely.

    The draw follows from `seed` and the two numbers of nodes, so samples of one shape share their pattern.
    R. W. Floyd's way to draw without replacement (J. Bentley, Programming Pearls, 1987), for all nodes at once.

    Args:
        count: edges into every node from each other type; all there are where it has fewer.
        seed: of the draw.
        name: names the rule in relations.
    """

    count: int = 8
    seed: int = 0
    name: str = "random"

    def applies(self, src: NodeType, dst: NodeType) -> bool:
        """Two different types."""
        return src.name != dst.name

    def edges(self, src: NodeSet, dst: NodeSet) -> Tensor:
        """Edges from the drawn nodes."""
        sources, targets = src.num_nodes, dst.num_nodes
        count = min(self.count, sources)
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + sources) * 1_000_003 + targets)
        drawn = torch.full((targets, count), -1)
        for place, last in enumerate(range(sources - count, sources)):
            found = torch.randint(0, last + 1, (targets,), generator=generator)
            taken = (drawn == found[:, None]).any(dim=1)
            drawn[:, place] = torch.where(taken, last, found)
        return torch.stack([drawn.flatten(), torch.arange(targets).repeat_interleave(count)])

    def key(self, src: NodeSet, dst: NodeSet) -> Hashable:
        """The numbers of nodes."""
        return src.num_nodes, dst.num_nodes


@dataclass(frozen=True)
class Work:
    """One kind of sample, and how many of them make a batch.

    Args:
        name: in reports.
        shapes: node type -> how its nodes are laid out in one sample.
        samples: device type -> samples per batch.
    """

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    samples: Mapping[str, int]

    @property
    def nodes(self) -> int:
        """Nodes in one sample."""
        return sum(map(math.prod, self.shapes.values()))

    def halved(self) -> "Work":
        """The same rules on about half the nodes."""
        shapes = {name: (max(1, first // 2), *rest) for name, (first, *rest) in self.shapes.items()}
        return replace(self, shapes=shapes)

    def batch(self, samples: int, width: int, *, seed: int = 0) -> GraphBatch:
        """That many samples with normally distributed states of that width.

        Raises:
            ValueError: fewer than one sample.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, found {samples}")
        types = [States(name=name, shape=shape, width=width) for name, shape in self.shapes.items()]
        rules: list[EdgeRule] = [RandomSources()]
        rules += [PictureGrid()] if any(len(shape) > 1 for shape in self.shapes.values()) else []
        rules += [Window(size=2)] if any(len(shape) == 1 for shape in self.shapes.values()) else []
        generator = torch.Generator().manual_seed(seed)
        draws = [
            Sample({t.name: torch.randn(math.prod(t.shape), width, generator=generator) for t in types})
            for _ in range(samples)
        ]
        return GraphBuilder(types, rules)(draws)


def sequences(nodes: int, name: str, samples: Mapping[str, int]) -> Work:
    """Three sequences of a half and two quarters of the nodes: 4 edges from the window and 16 from the others, 20."""
    quarter = nodes // 4
    return Work(name, {"patch": (nodes - 2 * quarter,), "frame": (quarter,), "token": (quarter,)}, samples)


WORKS = {
    "clip": Work("clip", {"patch": (14, 14), "frame": (128,), "token": (64,)}, {"cpu": 16, "cuda": 256}),
    "video": Work("video", {"patch": (32, 7, 7), "frame": (1500,), "token": (512,)}, {"cpu": 2, "cuda": 16}),
    "long": sequences(16_384, "long", {"cpu": 1, "cuda": 4}),
}
