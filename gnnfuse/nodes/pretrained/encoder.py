"""A pretrained backbone, frozen or trained, with a trained projection."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gnnfuse.nodes.node_type import Layout, NodeEncoder
from gnnfuse.nodes.pretrained.backbone import Backbone
from gnnfuse.nodes.pretrained.cut import Cut
from gnnfuse.nodes.pretrained.last_blocks import trained_parts


class PretrainedEncoder(NodeEncoder):
    """Slices through a pretrained network, then a projection to the size of the states.

    A frozen backbone has no trainable parameters, stays in evaluation mode and runs without gradients. A trained one
    keeps its pretrained batch-normalisation statistics: groups of equal shape are no fair sample. Of a tuned one, only
    the parts whose parameters require gradients are trained, slowly; the others stay in evaluation mode.

    Args:
        backbone: slices in, features out.
        projection: features in, states out; with cached features it replaces the whole encoder.
        frozen: only the projection is trained.
        tuned: those parts of a frozen backbone are trained too.
        cut: values are not slices, but states before this cut of the backbone, from which it goes on.
    """

    def __init__(
        self,
        backbone: Backbone,
        projection: NodeEncoder,
        *,
        frozen: bool,
        tuned: bool = False,
        cut: Cut | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection
        self.frozen = frozen
        self.tuned = tuned
        self.cut = cut
        if frozen and not tuned:
            backbone.requires_grad_(False)
        self.train(self.training)

    def forward(self, values: Shaped[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Slices in, states out.

        Raises:
            ValueError: some of a signal's nodes were left out (`GraphBatch.keep`).
        """
        if layout.place is not None:
            raise ValueError(
                f"{type(self.backbone).__name__}: found signals without some of their nodes, expected whole ones: a "
                "pretrained network reads the whole signal; encode the whole batch and keep rows of its states"
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._trains):
            if self.cut is None:
                features: Tensor = self.backbone(values, layout)
            else:
                features = self.backbone.features(values, layout, self.cut)
        states: Tensor = self.projection(features, layout)
        if not self._trains:
            return states
        return states + nothing_of(self.backbone).to(states.dtype)

    def train(self, mode: bool = True) -> "PretrainedEncoder":
        """Set the mode of everything that is not frozen."""
        super().train(mode)
        if self.frozen:
            self.backbone.train(False)
        for part in trained_parts(self.backbone) if self.tuned else ():
            part.train(mode)
        for part in self.backbone.modules():
            if isinstance(part, _BatchNorm):
                part.train(False)
        return self

    def slow(self) -> list[nn.Parameter]:
        """The parameters of the tuned parts."""
        return [each for each in self.backbone.parameters() if each.requires_grad] if self.tuned else []

    @property
    def _trains(self) -> bool:
        return self.tuned or not self.frozen


def nothing_of(module: nn.Module) -> Tensor:
    """A zero that depends on each trainable parameter: layers may be dropped at random, or get no nodes at all."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return torch.stack([parameter.flatten()[:0].sum() for parameter in trained]).sum()
