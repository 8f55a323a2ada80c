"""A learned weighted mean of a graph's nodes."""

from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import segment_reduce, segment_softmax
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.readout import Readout


class AttentionReadout(Readout):
    """Each head weights a graph's nodes by a learned score and sums its share of their values.

    z_g = W concat_h sum_{i in g} softmax_i(u_h . x_i) V_h x_i; zero before W for a graph without nodes.
    Source: Li et al., "Gated Graph Sequence Neural Networks" (2016), equation 7, with a softmax over the nodes and
    several heads.

    Args:
        dim: size of the states.
        heads: number of weightings; must divide `dim`.

    Raises:
        ValueError: `heads` does not divide `dim`.
    """

    def __init__(self, dim: int, *, heads: int = 4) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads must divide dim, found heads={heads} and dim={dim}")
        self.dim = dim
        self.heads = heads
        self.score = nn.Linear(dim, heads, bias=False)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, weighted means out."""
        weights = segment_softmax(self.score(states), batch.graph_id, batch.num_graphs)
        values = self.value(states).unflatten(1, (self.heads, -1)) * weights.unsqueeze(-1)
        summed = segment_reduce(values.flatten(1), batch.graph_id, batch.num_graphs, reduce="sum")
        return Fused(self.output(summed))
