"""torchvision's classification networks, cut before their pooling: pictures in, a feature map out."""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.network import Network, load_weights, missing_weights, no_blocks, read_state_dict
from gnnfuse.nodes.pretrained.torchvision_blocks import mark_blocks

PREFIX = "torchvision/"

# Class of the network -> the module whose output is the last feature map, or the last tokens.
LAST_MAP: Mapping[str, str] = {
    "AlexNet": "features",
    "ConvNeXt": "features",
    "DenseNet": "features",
    "EfficientNet": "features",
    "GoogLeNet": "inception5b",
    "Inception3": "Mixed_7c",
    "MNASNet": "layers",
    "MaxVit": "blocks",
    "MobileNetV2": "features",
    "MobileNetV3": "features",
    "RegNet": "trunk_output",
    "ResNet": "layer4",
    "ShuffleNetV2": "conv5",
    "SqueezeNet": "features",
    "SwinTransformer": "permute",
    "VGG": "features",
    "VisionTransformer": "encoder",
}

OF_ONE_SIZE = ("MaxVit", "VisionTransformer")  # made for pictures of one size


@dataclass(frozen=True, kw_only=True)
class TorchvisionNetwork(Network):
    """A torchvision classification network without its classifier.

    Args:
        name: its name in `torchvision.models.list_models`, or as registered by `register_model`.
        width: size of its states.
        size: height and width of a small picture that it accepts.
        arguments: of its builder, besides the defaults.
    """

    name: str
    width: int
    size: tuple[int, int]
    arguments: Mapping[str, Any]
    library = "torchvision"

    def smallest(self) -> tuple[Tensor, ...]:
        """One black picture."""
        return (torch.zeros(1, 3, *self.size),)

    def module(self) -> nn.Module:
        """Pictures `[pictures, channels, height, width]` in, `[pictures, width, rows, columns]` out."""
        return FeatureMap(extract(build(self.name, self.arguments)))

    def pretrained(self, model: str, weights: str | None) -> nn.Module:
        """The network with the weights of a file, or those that torchvision lists under a name (the default ones)."""
        whole = build(self.name, self.arguments)
        module = FeatureMap(extract(whole))
        found, where = self._read(weights)
        load_weights(module.network, found, frozenset(whole.state_dict()), where)
        return module

    def blocks(self, module: nn.Module) -> list[nn.Module]:
        """Modules that mark the input of each block: the library's network was traced, so its blocks are no modules."""
        found = mark_blocks(build_without_memory(self.name, self.arguments), module.get_submodule("network"))
        if not found:
            raise no_blocks(PREFIX + self.name)
        return found

    def _read(self, weights: str | None) -> tuple[Mapping[str, Tensor], str]:
        listed = listed_weights(self.name, weights)
        if listed is None:
            assert weights is not None, "no weights are listed and no file is given: refused when resolving"
            return read_state_dict(Path(weights)), weights
        try:
            return listed.get_state_dict(progress=sys.stderr.isatty(), check_hash=True, weights_only=True), str(listed)
        except OSError as error:
            command = (
                f"python -c \"from torchvision.models import get_weight; get_weight('{listed}')"
                '.get_state_dict(check_hash=True)"'
            )
            raise missing_weights(f"weights of {PREFIX}{self.name} ({listed})", command, error) from error


class FeatureMap(nn.Module):
    """A network's features as a map, even if it outputs tokens (ViT: its first one is no patch)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, pixels: Float[Tensor, "pictures channels height width"]
    ) -> Float[Tensor, "_ features rows columns"]:
        """Pictures in, maps out."""
        features: Tensor = self.network(pixels)["features"]
        if features.ndim == 4:
            return features
        side = round((features.shape[1] - 1) ** 0.5)
        return torch.unflatten(features[:, 1:].transpose(1, 2), 2, (side, side))


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The whole network with random weights.

    Raises:
        ValueError: torchvision has no classification network of that name.
    """
    import warnings

    from torchvision.models import get_model, get_model_builder

    if "weights_backbone" in inspect.signature(get_model_builder(name)).parameters:
        raise ValueError(f"torchvision's {name!r} is no classification network, and would fetch a backbone of its own")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # from GoogLeNet and Inception, about weight initialisation
        network: nn.Module = get_model(name, weights=None, **arguments)
    return network


def extract(whole: nn.Module) -> nn.Module:
    """The part of a network that its last feature map needs.

    Raises:
        ValueError: the location of that map is unknown for networks of this class.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    kind = type(whole).__name__
    if kind not in LAST_MAP:
        raise ValueError(f"torchvision's {kind} has no known feature map; known: {', '.join(LAST_MAP)}")
    features: nn.Module = create_feature_extractor(
        whole, return_nodes={LAST_MAP[kind]: "features"}, suppress_diff_warning=True
    )
    return features


def listed_weights(name: str, weights: str | None) -> Any:
    """The entry in torchvision's list of weights; None if `weights` is a file or nothing is listed.

    Raises:
        ValueError: torchvision has no such network, or no weights of that name, and there is no such file.
    """
    from torchvision.models import get_model_weights, list_models

    if name not in list_models():
        raise ValueError(f"torchvision has no model {name!r}; `torchvision.models.list_models()` names them")
    try:
        listed = get_model_weights(name)
    except ValueError:  # a network that a user registered
        listed = None
    if weights is None:
        if listed is None:
            raise ValueError(f"torchvision lists no weights for {name!r}, pass weights= with the path of a file")
        return listed.DEFAULT
    if listed is not None and weights in listed.__members__:
        return listed[weights]
    if Path(weights).suffix or Path(weights).exists():
        return None
    names = ", ".join(listed.__members__) if listed is not None else "none"
    raise ValueError(f"{PREFIX}{name}: found weights={weights!r}, expected a file or one of: {names}")


def needed_arguments(name: str, weights: str | None) -> dict[str, Any]:
    """The arguments that torchvision adds when it loads a network with its weights."""
    if name in ("googlenet", "inception_v3"):
        return {"transform_input": True}
    listed = listed_weights(name, weights)
    vit = listed is not None and listed.meta.get("min_size") is not None and name.startswith("vit_")
    return {"image_size": listed.meta["min_size"][0]} if vit else {}


def of_one_size(whole: nn.Module) -> bool:
    """Whether a network accepts pictures of one size only."""
    return type(whole).__name__ in OF_ONE_SIZE


def build_without_memory(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The whole network on the meta device, to inspect its shapes."""
    try:
        with torch.device("meta"):
            return build(name, arguments).eval()
    except NotImplementedError:  # RegNet computes its widths with tensors
        return build(name, arguments).to("meta").eval()
