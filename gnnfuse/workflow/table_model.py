"""Options of a graph model for a table, by the table's size."""

from functools import partial
from typing import Literal

from gnnfuse.graph import GraphBuilder
from gnnfuse.message_passing import RelationAttention
from gnnfuse.readout import AdditiveReadout, TypedReadout

ReadoutName = Literal["additive", "typed"]
LAYER_DROPOUT = 0.2


def graph_options(builder: GraphBuilder, *, dim: int, readout: ReadoutName, small: bool) -> dict[str, object]:
    """The arguments of `GraphFusion` besides its sizes.

    Args:
        builder: makes the graphs.
        dim: size of the states.
        readout: how a sample's states become one vector.
        small: the table has few rows, which a model would overfit: layers use dropout.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> builder = GraphBuilder([TextTokens()])
        >>> list(graph_options(builder, dim=8, readout="typed", small=False))
        ['readout']
    """
    names = [node_type.name for node_type in builder.node_types]
    made = AdditiveReadout(dim, builder.modalities) if readout == "additive" else TypedReadout(dim, names)
    layer = {"layer": partial(RelationAttention, dropout=LAYER_DROPOUT)} if small else {}
    return {"readout": made, **layer}
