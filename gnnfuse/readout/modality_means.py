"""One summary per modality of each sample."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.ops import segment_reduce


def modality_means(
    states: Float[Tensor, "nodes dim"], batch: GraphBatch
) -> tuple[Float[Tensor, "graphs modalities dim"], Bool[Tensor, "graphs modalities"]]:
    """The mean state of each modality's nodes, and whether there are any; the mean of none is zero.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.sample import Sample
        >>> batch = GraphBuilder([TextTokens()])([Sample({"text": "ab"}), Sample({})], empty=True)
        >>> means, present = modality_means(torch.tensor([[1.0], [3.0]]), batch)
        >>> means.flatten().tolist(), present.flatten().tolist()
        ([2.0, 0.0], [True, False])
    """
    names, graphs = batch.modalities, batch.num_graphs
    found = torch.cat([states[:0], *(states[batch.slices[name]] for name in names)])
    number = [batch.layout[name].graph_id * len(names) + place for place, name in enumerate(names)]
    segment = torch.cat([batch.graph_id[:0], *number])
    means = segment_reduce(found, segment, graphs * len(names), reduce="mean")
    none = torch.zeros(graphs, 0, dtype=torch.bool, device=states.device)
    present = [batch.layout[name].offsets.diff()[:, None] > 0 for name in names]
    return means.reshape(graphs, len(names), states.shape[1]), torch.cat([none, *present], dim=1)
