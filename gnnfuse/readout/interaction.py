"""InteractionReadout: one term per modality, and one for their interaction."""

from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import neighbor_sum, segment_reduce
from gnnfuse.ops.choose import check_impl
from gnnfuse.ops.neighbor_sum.neighbor_sum import Impl
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.modality_means import modality_means
from gnnfuse.readout.readout import Readout


class InteractionReadout(Readout):
    """phi(x) + phi(y) + phi(G(x, y)), for the summaries x and y of two modalities and their interaction G.

    x and y are the mean states of the modalities' nodes; G is the mean over the sample's cross-modal edges j -> i of
    the entrywise product x_i * y_j; phi is one network for all three terms:

        phi(u) = W_2 gelu(W_1 u + b_1) + b_2

    With more modalities, each has its term, and G uses the cross-modal edges between any two of them. A term whose
    modality has no node in the sample is left out, and so is phi(G) without cross-modal edges. Edges to or from a type
    that is read from no signal (a hub) are not cross-modal. No product is stored per edge: every node's neighbours are
    summed first.

    Args:
        dim: size of the states.
        expansion: width of phi's hidden layer as a multiple of `dim`.
        impl: which `neighbor_sum` to use.

    Raises:
        ValueError: an unknown `impl`.

    Example:
        >>> readout = InteractionReadout(8)
        >>> sum(p.numel() for p in readout.parameters())
        280
    """

    def __init__(self, dim: int, *, expansion: int = 2, impl: Impl = "auto") -> None:
        super().__init__()
        check_impl(impl, get_args(Impl))
        self.dim = dim
        self.expansion = expansion
        self.impl = impl
        self.network = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, one vector per graph out."""
        means, present = modality_means(states, batch)
        interaction, count = self._interaction(states, batch)
        terms = torch.cat([means, interaction.unsqueeze(1)], dim=1)
        there = torch.cat([present, count > 0], dim=1)
        return Fused((self.network(terms) * there[:, :, None]).sum(1))

    def _interaction(
        self, states: Float[Tensor, "nodes dim"], batch: GraphBatch
    ) -> tuple[Float[Tensor, "graphs dim"], Float[Tensor, "graphs 1"]]:
        """G, and the number of cross-modal edges."""
        names = set(batch.modalities)
        across = [r.src != r.dst and r.src in names and r.dst in names for r in batch.relations] or [False]
        dtype = torch.promote_types(states.dtype, torch.float32)
        weight = torch.tensor(across, dtype=dtype, device=states.device)[batch.edges.relation]
        scaled = weight if batch.edge_weight is None else weight * batch.edge_weight
        heard = neighbor_sum(states, batch.edges, weight=scaled, impl=self.impl)
        products = segment_reduce(states * heard, batch.graph_id, batch.num_graphs, reduce="sum")
        count = weight.new_zeros(batch.num_graphs).index_add(0, batch.graph_id[batch.edges.dst()], weight)[:, None]
        return products / count.clamp(min=1), count
