"""A figure measured in inches, in three layers: signals below, edges above them, nodes and words on top."""

from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gnnfuse.draw.lettering import lettering
from gnnfuse.draw.palette import FONT, INK

MOST_LETTERS = 100  # of one text


@dataclass(frozen=True)
class Box:
    """A rectangle on the canvas, in inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right end."""
        return self.left + self.width

    @property
    def top(self) -> float:
        """Its upper end."""
        return self.bottom + self.height

    @property
    def center(self) -> tuple[float, float]:
        """Its middle."""
        return self.left + self.width / 2, self.bottom + self.height / 2


class Canvas:
    """A figure with its own Agg canvas; pyplot is not used, and no global setting of matplotlib is changed.

    Args:
        width: inches.
        height: inches.

    Attributes:
        figure: the figure.
        edges: axes over the whole figure in inches, for edges.
        marks: axes over the whole figure in inches, above the edges, for nodes and words.

    Example:
        >>> canvas = Canvas(4.0, 3.0)
        >>> [float(inches) for inches in canvas.marks.get_xlim()]
        [0.0, 4.0]
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(self.figure)
        self.edges = self._layer(1)
        self.marks = self._layer(2)

    def axes(self, box: Box) -> Axes:
        """New axes under the edges, without ticks or frame."""
        place = (box.left / self.width, box.bottom / self.height, box.width / self.width, box.height / self.height)
        axes = self.figure.add_axes(place, zorder=0)
        axes.set_axis_off()
        return axes

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 9.0,
        color: str = INK,
        weight: Literal["normal", "bold"] = "normal",
        align: Literal["left", "center", "right"] = "left",
        family: str = FONT,
        background: bool = False,
    ) -> None:
        """Words on top of everything, centred on the height `y`, possibly on a pale background; never as a formula."""
        letters = lettering([words], family)
        words_drawn = self.marks.text(
            x,
            y,
            letters.text(words, MOST_LETTERS),
            fontsize=size,
            color=color,
            fontweight=weight,
            ha=align,
            va="center_baseline",
            family=list(letters.families),
            parse_math=False,
            zorder=6,
        )
        if background:
            words_drawn.set_bbox({"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.85, "linewidth": 0})

    def _layer(self, zorder: int) -> Axes:
        layer = self.figure.add_axes((0.0, 0.0, 1.0, 1.0), zorder=zorder)
        layer.set_axis_off()
        layer.set_xlim(0, self.width)
        layer.set_ylim(0, self.height)
        return layer
