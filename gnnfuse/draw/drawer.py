"""The interface of drawers, which draw the nodes of one type and return the place of each."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.nodes import NodeSet, NodeType
from gnnfuse.sample import Sample

TIMES = " \N{MULTIPLICATION SIGN} "
Facing = Literal["up", "down"]
Points = NDArray[np.float64]


def counted(count: int, word: str) -> str:
    """A number and its noun.

    Example:
        >>> counted(1, "edge"), counted(2, "edge")
        ('1 edge', '2 edges')
    """
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


@dataclass(frozen=True)
class View:
    """The nodes of one type to draw.

    Args:
        node_type: the type.
        nodes: its nodes in the sample, at least one.
        sample: the sample.
    """

    node_type: NodeType
    nodes: NodeSet
    sample: Sample

    @property
    def title(self) -> str:
        """The type's name and its number of nodes."""
        count, shape = self.nodes.num_nodes, self.nodes.shape
        lattice = f" ({TIMES.join(map(str, shape))})" if len(shape) > 1 else ""
        lost = f", {self.nodes.dropped} left out" if self.nodes.dropped else ""
        return f"{counted(count, 'node')}{lattice}{lost}"


@dataclass(frozen=True)
class Drawn:
    """The places of drawn nodes, and how edges leave them.

    Args:
        points: `[nodes, 2]`, inches.
        bulge: the direction in which edges within the type arch, a unit vector; (0, 0) draws them straight.
        sideways: edges to other types leave to the left or right rather than up or down.
        band: how far edges within the type may arch, in inches.
        border: inches from a node's point to its upper and lower border, where edges begin.
    """

    points: Points
    bulge: tuple[float, float] = (0.0, 0.0)
    sideways: bool = False
    band: float = 0.2
    border: float = 0.0


class Drawer(ABC):
    """Draws one kind of node; pass your own to `draw_sample(..., drawers=[...])`.

    Example:
        >>> from gnnfuse.draw.dots import Dots
        >>> isinstance(Dots(), Drawer)
        True
    """

    @abstractmethod
    def accepts(self, view: View) -> bool:
        """Whether it can draw these nodes; the first drawer that can is used."""

    @abstractmethod
    def height(self, view: View, width: float) -> float:
        """The height in inches that it needs at this width."""

    @abstractmethod
    def draw(self, canvas: Canvas, view: View, box: Box, facing: Facing) -> Drawn:
        """Draw the nodes into the box, near the side that faces the other types; the title goes to the far side."""
