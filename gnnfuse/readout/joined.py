"""JoinedReadout: the sum of the modalities' summaries at constant variance."""

from jaxtyping import Float
from torch import Tensor

from gnnfuse.graph import GraphBatch
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.modality_means import modality_means
from gnnfuse.readout.readout import Readout


class JoinedReadout(Readout):
    """(x + y) / sqrt(2) for the summaries x and y of two modalities, the mean states of their nodes.

    For M modalities in a sample, the sum divided by sqrt(M); modalities without nodes in the sample do not count. For
    independent summaries of equal variance, the result has that variance, however many there are. Zero for a sample
    without any. Types that are read from no signal (hubs) are no modality. `SimMIM` is used with it.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.sample import Sample
        >>> import torch
        >>> batch = GraphBuilder([TextTokens()])([Sample({"text": "ab"}), Sample({})], empty=True)
        >>> JoinedReadout()(torch.tensor([[1.0], [3.0]]), batch).tolist()
        [[2.0], [0.0]]
    """

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """States in, one vector per graph out."""
        means, present = modality_means(states, batch)
        count = present.sum(1).clamp(min=1).to(means.dtype)
        return Fused(means.sum(1) / count.sqrt()[:, None])
