"""Figures of graphs: what the nodes are, and which are joined."""

from gnnfuse.draw.canvas import Box, Canvas
from gnnfuse.draw.draw_sample import draw_sample
from gnnfuse.draw.drawer import Drawer, Drawn, View

__all__ = ["Box", "Canvas", "Drawer", "Drawn", "View", "draw_sample"]
