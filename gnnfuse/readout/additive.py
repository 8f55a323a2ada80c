"""AdditiveReadout: each modality speaks for itself, and what they say is averaged."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gnnfuse.graph import GraphBatch
from gnnfuse.readout.modality_means import modality_means
from gnnfuse.readout.readout import Readout


class AdditiveReadout(Readout):
    """The mean over a sample's modalities of W_m times the mean state of the modality's nodes.

        z_g = 1/|M_g| sum_{m in M_g} (W_m mean_{i of m in g} x_i + b_m)

    A linear head over z gives the mean of what it gives for each modality alone: for classes the geometric mean of the
    modalities' predictions, as late fusion has it, over states that message passing has already mixed. It cannot learn
    combinations by heart as a network over all of them can (`TypedReadout`): for tables of a few thousand rows or less.
    Dropout makes each modality answer alone now and then. Zero for a sample without any; hubs are no modality. Source:
    the product of experts of Hinton, "Training Products of Experts by Minimizing Contrastive Divergence" (2002), with
    the experts weighted alike; that unimodal parts must be trained for themselves: Wang et al., "What Makes Training
    Multi-modal Classification Networks Hard?" (2020).

    Args:
        dim: size of the states.
        modalities: names of the node types that are read from a signal.
        dropout: in training, each of a sample's modalities is left out of the mean with this probability, but one.

    Raises:
        ValueError: no modalities, or dropout outside 0..1.

    Example:
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.graph import GraphBuilder
        >>> from gnnfuse.sample import Sample
        >>> batch = GraphBuilder([TextTokens()])([Sample({"text": "ab"}), Sample({})])
        >>> AdditiveReadout(8, ["text"])(torch.rand(2, 8), batch)[1].abs().sum().item()
        0.0
    """

    def __init__(self, dim: int, modalities: Sequence[str], *, dropout: float = 0.0) -> None:
        super().__init__()
        if not modalities or not 0 <= dropout < 1:
            raise ValueError(
                f"AdditiveReadout needs at least one modality and a dropout of at least 0 and below 1, "
                f"found {', '.join(modalities) or 'none'} and {dropout}"
            )
        self.dim = dim
        self.modalities = tuple(sorted(modalities))
        self.dropout = dropout
        self.maps = nn.ModuleDict({name: nn.Linear(dim, dim) for name in self.modalities})

    def forward(self, states: Float[Tensor, "nodes dim"], batch: GraphBatch) -> Float[Tensor, "graphs dim"]:
        """States in, one vector per graph out.

        Raises:
            ValueError: the batch's modalities are others.
        """
        if batch.modalities != self.modalities:
            raise ValueError(
                f"AdditiveReadout reads modalities {', '.join(self.modalities)}, found {', '.join(batch.modalities)}"
            )
        means, present = modality_means(states, batch)
        said = torch.stack([self.maps[name](means[:, place]) for place, name in enumerate(self.modalities)], dim=1)
        if self.training and self.dropout:
            present = self._some(present)
        weight = present.to(said.dtype) / present.sum(1, keepdim=True).clamp(min=1)
        fused: Tensor = (said * weight[..., None]).sum(1)
        return fused

    def _some(self, present: Bool[Tensor, "graphs modalities"]) -> Bool[Tensor, "graphs modalities"]:
        """Some of a sample's modalities; one that is drawn at random always stays."""
        chance = torch.rand(present.shape, device=present.device)
        stays = torch.rand(present.shape, device=present.device).masked_fill(~present, -1).argmax(1, keepdim=True)
        return present & (chance >= self.dropout).scatter(1, stays, value=True)
