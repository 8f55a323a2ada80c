"""One modality alone: the baseline that fusion has to beat."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from gnnfuse.fusion.fusion_model import Family, FusionModel, read_types
from gnnfuse.fusion.token_transformer import TokenTransformer
from gnnfuse.graph import GraphBatch
from gnnfuse.nodes import NodeType
from gnnfuse.readout import Fused


class Unimodal(FusionModel):
    """A transformer over the tokens of one modality.

    Args:
        node_types: the samples' node types; learned types (hubs) are left out.
        modality: name of the node type to use; optional if only one reads a signal.
        dim: size of the token states and of the fused vector.
        depth: number of blocks.
        heads: attention heads; must divide `dim`.
        dropout: as in `TokenTransformer`.

    Raises:
        ValueError: no node type of that name that reads a signal, or `heads` does not divide `dim`.
    """

    family: ClassVar[Family] = "unimodal"
    gives = frozenset({"nodes"})

    def __init__(
        self,
        node_types: Sequence[NodeType],
        *,
        modality: str | None = None,
        dim: int = 64,
        depth: int = 3,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        read = read_types(node_types)
        chosen = [t for t in read if t.name == modality or (modality is None and len(read) == 1)]
        if not chosen:
            known = ", ".join(t.name for t in read)
            raise ValueError(f"found modality={modality!r}, expected one of: {known}")
        super().__init__(chosen, dim)
        self.modality = chosen[0].name
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.transformer = TokenTransformer(dim, depth=depth, heads=heads, dropout=dropout)

    def fuse(self, states: Mapping[str, Float[Tensor, "_ dim"]], batch: GraphBatch) -> Fused:
        """Encoded states in; fused vectors and the states of the nodes out."""
        return self.transformer.with_nodes(states, batch)

    @classmethod
    def variants(cls, modalities: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """One model per modality."""
        return {name: {"modality": name} for name in modalities}
