"""Fused: the result of a readout or a fusion model for a batch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

NO_LOSSES: Mapping[str, Tensor] = MappingProxyType({})


class Fused(NamedTuple):
    """The fused vectors of a batch, and further outputs (`Readout.gives`, `FusionModel.gives`).

    Args:
        vector: `[graphs, dim]`, one vector per graph.
        parts: `[graphs, modalities, dim]`, the contribution of each modality, in the order of their names; finite but
            meaningless where the graph lacks the modality.
        present: `[graphs, modalities]`, whether the graph has nodes of the modality; given with `parts`.
        nodes: `[nodes, dim]`, the states of the nodes after mixing, in the batch's numbering; zero for nodes of types
            that the model does not encode.
        losses: the model's own losses by name, scalars, such as a divergence; an objective may not have the same name.
    """

    vector: Float[Tensor, "graphs dim"]
    parts: Float[Tensor, "graphs modalities dim"] | None = None
    present: Bool[Tensor, "graphs modalities"] | None = None
    nodes: Float[Tensor, "nodes dim"] | None = None
    losses: Mapping[str, Tensor] = NO_LOSSES
