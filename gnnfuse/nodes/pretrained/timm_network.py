"""timm's models as networks: pictures in, a feature map out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.network import Network, map_of_tokens, no_blocks
from gnnfuse.nodes.pretrained.timm_library import load_model, make_model, timm_source


@dataclass(frozen=True, kw_only=True)
class TimmNetwork(Network):
    """A model of timm without its pooling and classifier.

    Args:
        name: its architecture in `timm.list_models`.
        arguments: of its constructor, besides the defaults.
        width: size of its states.
        stride: pixels from one state to the next.
        prefix: tokens before the patches (class, distillation, registers).
        channels: of the pictures.
        channels_last: its map is `[pictures, rows, columns, width]`.
        size: height and width of a small picture that it accepts.
    """

    name: str
    arguments: Mapping[str, Any]
    width: int
    stride: int
    prefix: int = 0
    channels: int = 3
    channels_last: bool = False
    size: tuple[int, int]
    library = "timm"

    def smallest(self) -> tuple[Tensor, ...]:
        """One black picture."""
        return (torch.zeros(1, self.channels, *self.size),)

    def module(self) -> nn.Module:
        """Pictures `[pictures, channels, height, width]` in, `[pictures, width, rows, columns]` out."""
        return self._around(make_model(self.name, self.arguments))

    def pretrained(self, model: str, weights: str | None) -> nn.Module:
        """The network with the weights of a file or a folder, or those that timm lists or the hub has."""
        return self._around(load_model(timm_source(model, weights), weights, self.arguments))

    def blocks(self, module: nn.Module) -> list[nn.Module]:
        """The blocks of timm's own grouping of layers (`group_matcher`)."""
        model: Any = module.model
        groups = model.group_matcher(coarse=False) if hasattr(model, "group_matcher") else {}
        given = groups.get("blocks", ())
        patterns = [given] if isinstance(given, str) else [pattern for pattern, order in given if order is None]
        names = (name for name, _ in model.named_parameters())
        found = [match.group() for name in names for pattern in patterns if (match := re.match(pattern, name))]
        if not found:
            raise no_blocks(f"timm/{self.name}")
        return [model.get_submodule(name) for name in dict.fromkeys(found)]

    def checkpoint(self, module: nn.Module) -> None:
        """Gradient checkpointing by timm."""
        model: Any = module.model
        try:
            model.set_grad_checkpointing(True)
        except (AssertionError, AttributeError):
            super().checkpoint(module)

    def _around(self, model: nn.Module) -> nn.Module:
        return TimmMap(model, stride=self.stride, prefix=self.prefix, channels_last=self.channels_last)


class TimmMap(nn.Module):
    """A model's unpooled features as a map, whatever their form."""

    def __init__(self, model: Any, *, stride: int, prefix: int, channels_last: bool) -> None:
        super().__init__()
        self.model = model
        self.stride = stride
        self.prefix = prefix
        self.channels_last = channels_last

    def forward(
        self, pixels: Float[Tensor, "pictures channels height width"]
    ) -> Float[Tensor, "_ features rows columns"]:
        """Pictures in, maps out."""
        features: Tensor = self.model.forward_features(pixels)
        if features.ndim == 3:
            return map_of_tokens(self.model, features[:, self.prefix :], pixels, self.stride)
        return features.permute(0, 3, 1, 2) if self.channels_last else features
