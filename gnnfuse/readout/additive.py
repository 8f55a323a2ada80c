"""AdditiveReadout: the mean of one vector per modality."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.readout.fused import Fused
from gnnfuse.readout.modality_means import modality_means
from gnnfuse.readout.readout import Readout


class AdditiveReadout(Readout):
    """The mean over a sample's modalities of W_m times the mean state of the modality's nodes.

        z_g = 1/|M_g| sum_{m in M_g} (W_m mean_{i of m in g} x_i + b_m)

    A linear head over z outputs the mean of its outputs for each modality alone: for classes, the geometric mean of the
    modalities' predictions, as in late fusion, over states that message passing has already mixed. It cannot memorise
    combinations as a network over all modalities can (`TypedReadout`): for tables of a few thousand rows or fewer. Zero
    for a sample without modalities; hubs are no modality. Source: products of experts, Hinton, "Training Products of
    Experts by Minimizing Contrastive Divergence" (2002), here with equal weights.

    Args:
        dim: size of the states.
        modalities: names of the node types that are read from a signal.

    Raises:
        ValueError: no modalities.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.sample import Sample
        >>> batch = GraphBuilder([TextTokens()])([Sample({"text": "ab"}), Sample({})], empty=True)
        >>> AdditiveReadout(8, ["text"])(torch.rand(2, 8), batch)[1].abs().sum().item()
        0.0
    """

    gives = frozenset({"parts"})

    def __init__(self, dim: int, modalities: Sequence[str]) -> None:
        super().__init__()
        if not modalities:
            raise ValueError("AdditiveReadout needs at least one modality, found none")
        self.dim = dim
        self.modalities = tuple(sorted(modalities))
        self.maps = nn.ModuleDict({name: nn.Linear(dim, dim) for name in self.modalities})

    def read(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Fused:
        """The vectors, and those from each modality alone.

        Raises:
            ValueError: the batch has other modalities.
        """
        if batch.modalities != self.modalities:
            raise ValueError(
                f"AdditiveReadout reads modalities {', '.join(self.modalities)}, found {', '.join(batch.modalities)}"
            )
        means, present = modality_means(states, batch)
        parts = torch.stack([self.maps[name](means[:, place]) for place, name in enumerate(self.modalities)], dim=1)
        weight = present.to(parts.dtype) / present.sum(1, keepdim=True).clamp(min=1)
        return Fused((parts * weight[..., None]).sum(1), parts, present)
