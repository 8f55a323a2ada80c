"""WayAround: a fusion model with a linear skip connection from pooled states to its vectors."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.fusion.classical import PooledStates
from gnnfuse.fusion.fusion_model import Family, FusionModel, NodeEncoders
from gnnfuse.graph import GraphBatch, GraphBuilder
from gnnfuse.readout import Fused


class WayAround(FusionModel):
    """A graph model with a linear skip connection around it, solved before the graph model is trained.

        z_g = dropout(f(g)) + V s(g) in training, share f(g) + V s(g) afterwards

    f is the model, s(g) are the pooled states of the graph's modalities (`PooledStates`), and V is fixed: the model
    learns the residual of the linear map. On a few hundred samples a convex problem finds a better linear map than
    training does, which overfits the nodes first. What the model adds is shrunk by `share`, as in boosting (Friedman,
    "Greedy Function Approximation: A Gradient Boosting Machine", 2001). Parts are those of the model alone.

    Args:
        model: gives vectors and perhaps parts.
        pooled: fitted; gives the pooled states.
        dropout: fraction of the model's numbers that training leaves out.
        share: factor on the model's vectors after training.

    Raises:
        ValueError: a dropout outside [0, 1), or a share outside (0, 1].

    Example:
        >>> from gnnfuse.fusion import GraphFusion
        >>> from gnnfuse.nodes import Features
        >>> from gnnfuse.sample import Sample
        >>> builder = GraphBuilder([Features(signal="a", width=2)])
        >>> model = WayAround(GraphFusion.of(builder, dim=8, depth=1), PooledStates.of(builder))
        >>> model.take(torch.ones(8, 3))
        >>> model(builder([Sample({"a": [3.0, 4.0]})])).shape
        torch.Size([1, 8])
    """

    family: ClassVar[Family] = "graph"
    sees_edges: ClassVar[bool] = True

    def __init__(self, model: FusionModel, pooled: PooledStates, *, dropout: float = 0.0, share: float = 1.0) -> None:
        if not 0 <= dropout < 1 or not 0 < share <= 1:
            raise ValueError(
                f"WayAround: found dropout {dropout} and share {share}, expected 0 <= dropout < 1 and 0 < share <= 1"
            )
        super().__init__(model.node_types, model.dim, encoders=NodeEncoders((), model.dim))
        self.model = model
        self.pooled = pooled
        self.dropout = dropout
        self.share = share
        self.gives = model.gives
        self.map = nn.Linear(pooled.dim, model.dim, bias=False)
        self.map.weight.requires_grad_(False).zero_()

    @torch.no_grad()
    def take(self, weight: Float[Tensor, "dim width"]) -> None:
        """Set the linear map."""
        self.map.weight.copy_(weight)

    def fuse(self, states: Mapping[str, Tensor], batch: GraphBatch) -> Fused:
        """The model's vectors and the mapped pooled states, added."""
        fused = self.model.embed(batch)
        with torch.no_grad():
            around = self.map(self.pooled(batch))
        own = nn.functional.dropout(fused.vector, self.dropout) if self.training else fused.vector * self.share
        return fused._replace(vector=own + around)

    def check_fits(self, builder: GraphBuilder) -> None:
        """Refuse a builder that does not fit the model or its pooled states.

        Raises:
            ValueError: as the model and `PooledStates` raise it.
        """
        self.model.check_fits(builder)
        self.pooled.check_fits(builder)


def factors(weight: Float[Tensor, "outputs width"], dim: int) -> tuple[Tensor, Tensor]:
    """A head `[outputs, dim]` with orthonormal rows or columns, and a map `[dim, width]`, whose product is the weight.

    For more outputs than `dim`, the product is the nearest matrix of rank `dim`.

    Example:
        >>> weight = torch.arange(6.0).reshape(2, 3)
        >>> head, inner = factors(weight, 4)
        >>> torch.allclose(head @ inner, weight, atol=1e-5), torch.allclose(head @ head.T, torch.eye(2), atol=1e-5)
        (True, True)
    """
    outputs = len(weight)
    if outputs > dim:
        head = torch.linalg.svd(weight, full_matrices=False).U[:, :dim]
    else:
        drawn = torch.randn(dim, outputs, generator=torch.Generator().manual_seed(0))
        head = torch.linalg.qr(drawn).Q.T.to(weight)
    return head, head.T @ weight
