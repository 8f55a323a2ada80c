"""The mean of a graph's nodes."""

from jaxtyping import Float
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import segment_reduce
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.readout import Readout


class MeanReadout(Readout):
    """The mean over all nodes of a graph, whatever their type; zero for a graph without nodes."""

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, means out."""
        return Fused(segment_reduce(states, batch.graph_id, batch.num_graphs, reduce="mean"))
