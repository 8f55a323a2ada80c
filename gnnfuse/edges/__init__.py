"""The third stage: typed edges between the nodes of a sample."""

from gnnfuse.edges.aligned import Aligned
from gnnfuse.edges.complete import Complete
from gnnfuse.edges.edge_rule import EdgeRule, Relation
from gnnfuse.edges.given import GivenEdges
from gnnfuse.edges.grid import Grid
from gnnfuse.edges.nearest import Nearest
from gnnfuse.edges.window import Window
from gnnfuse.sample import EdgeList

__all__ = ["Aligned", "Complete", "EdgeList", "EdgeRule", "GivenEdges", "Grid", "Nearest", "Relation", "Window"]
