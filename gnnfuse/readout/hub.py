"""The state of a graph's hub."""

import torch
from jaxtyping import Float
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import segment_reduce
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.readout import Readout


class HubReadout(Readout):
    """The mean state of the nodes of some types, meant for hubs; zero for a graph without any.

    Args:
        hubs: name of the hub type, or several names.
    """

    def __init__(self, hubs: str | tuple[str, ...] = "hub") -> None:
        super().__init__()
        self.hubs = hubs

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, the hubs' means out.

        Raises:
            ValueError: the batch has no node type of that name.
        """
        names = (self.hubs,) if isinstance(self.hubs, str) else tuple(self.hubs)
        missing = [name for name in names if name not in batch.values]
        if missing:
            raise ValueError(f"HubReadout reads node type {missing[0]!r}, found only {', '.join(batch.node_types)}")
        kept = [name for name in batch.node_types if name in names]  # the order of the given names does not matter
        hubs = torch.cat([states[batch.slices[name]] for name in kept])
        graph_id = torch.cat([batch.layout[name].graph_id for name in kept])
        return Fused(segment_reduce(hubs, graph_id, batch.num_graphs, reduce="mean"))
