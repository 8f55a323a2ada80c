"""A learned weighted mean per node type, joined by a small network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import segment_reduce, segment_softmax
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.readout import Readout


class TypedReadout(Readout):
    """Pools each node type separately and fuses the types' vectors.

    p_t = sum_{i of type t in g} softmax_i(u . x_i) x_i, zero for a type that the graph lacks;
    z_g = W_2 gelu(W_1 [p_1, ..., p_T]). Each softmax runs over the nodes of one type, so that a text of many tokens
    does not outweigh the picture; the network is late fusion over the types' states after message passing.

    Args:
        dim: size of the states.
        node_types: names of the node types.
        expansion: width of the hidden layer as a multiple of `dim`.

    Raises:
        ValueError: no node types, or entries that are not names.
    """

    def __init__(self, dim: int, node_types: Sequence[str], *, expansion: int = 4) -> None:
        super().__init__()
        if not node_types:
            raise ValueError("TypedReadout needs at least one node type, found none")
        if strange := [found for found in node_types if not isinstance(found, str)]:
            raise ValueError(f"node_types: found a {type(strange[0]).__name__}, expected names of node types")
        self.dim = dim
        self.node_types = tuple(sorted(node_types))
        self.expansion = expansion
        self.score = nn.Linear(dim, 1, bias=False)
        self.network = nn.Sequential(
            nn.Linear(len(self.node_types) * dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim)
        )

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, one vector per graph out.

        Raises:
            ValueError: the batch lacks one of the node types.
        """
        missing = [name for name in self.node_types if name not in batch.values]
        if missing:
            raise ValueError(f"TypedReadout reads node type {missing[0]!r}, found only {', '.join(batch.node_types)}")
        found = torch.cat([states[batch.slices[name]] for name in self.node_types])
        segment = torch.cat(
            [batch.layout[name].graph_id * len(self.node_types) + place for place, name in enumerate(self.node_types)]
        )
        segments = batch.num_graphs * len(self.node_types)
        weights = segment_softmax(self.score(found), segment, segments)
        pooled = segment_reduce(found * weights, segment, segments, reduce="sum")
        return Fused(self.network(pooled.reshape(batch.num_graphs, -1)))
