"""The input of a timm model and the grid of its states, read from timm."""

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gnnfuse.nodes.pretrained.image_architecture import ImageArchitecture, Normalisation, measure
from gnnfuse.nodes.pretrained.timm_library import REASON, library, make_model, make_without_memory, timm_source
from gnnfuse.nodes.pretrained.timm_network import TimmMap, TimmNetwork

INTERPOLATIONS = ("bilinear", "bicubic", "nearest")  # timm's others: lanczos, random


def timm_architecture(
    model: str, weights: str | None, size: tuple[int, int] | None, normalisation: Normalisation | None
) -> ImageArchitecture:
    """The architecture of a timm model.

    Pictures get the size that the model was trained on; one that accepts other sizes is given whole squares.

    Args:
        model: "timm/" and a name, a folder, or a name on the hub.
        weights: a file with the first, a revision with the last.
        size: of the pictures, for networks of one size; its own by default.
        normalisation: mean and deviation instead of its own.

    Raises:
        FileNotFoundError: its config is not available locally and cannot be fetched.
        ValueError: timm is not installed or has no such model or weights, or its states do not lie on a grid.
    """
    config, data, more = _settings(model, weights)
    channels, own = data["input_size"][0], tuple(data["input_size"][1:])
    fixed = config.get("fixed_input_size", False)
    arguments = more | {"in_chans": channels} | ({"img_size": list(size or own)} if fixed else {})
    with torch.device("meta"):
        made = make_model(config["architecture"], arguments).eval()
    grid = (None if fixed else _any_size(made, channels, own)) or _one_size(made, channels, size or own, model)
    small = (2 * grid.stride + grid.margin,) * 2 if grid.resizes else tuple(size or own)
    mean, std = normalisation or (tuple(data["mean"]), tuple(data["std"]))
    return ImageArchitecture(
        network=TimmNetwork(
            name=config["architecture"],
            arguments=arguments,
            width=grid.width,
            stride=grid.stride,
            prefix=grid.prefix,
            channels=channels,
            channels_last=_channels_last(made),
            size=small,
        ),
        stride=grid.stride,
        margin=grid.margin,
        size=grid.size,
        resizes=grid.resizes,
        channels=channels,
        mean=mean,
        std=std,
        interpolation=data["interpolation"] if data["interpolation"] in INTERPOLATIONS else "bicubic",
    )


def _settings(model: str, weights: str | None) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A model's configuration of weights, that of its input, and the constructor's arguments that its folder adds."""
    source = timm_source(model, weights)
    described = make_without_memory(source)
    config = described.pretrained_cfg
    if weights is None and not any(config.get(place) for place in ("url", "file", "hf_hub_id")):
        raise ValueError(f"timm lists no weights for {source!r}, pass weights= with the path of a file")
    return config, library().data.resolve_model_data_config(described), dict(described.pretrained_model_args)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Where a model's states lie; `size` is that of pictures without the margin."""

    stride: int
    margin: int
    prefix: int = 0
    width: int
    size: tuple[int, int]
    resizes: bool


def _any_size(made: Any, channels: int, own: tuple[int, int]) -> _Grid | None:
    """The grid of a model whose states lie on one for pictures of any size; None for other models."""
    try:
        if _states(made, channels, own).ndim != 4:
            return None
        module = TimmMap(made, stride=1, prefix=0, channels_last=_channels_last(made))
        stride, margin, width = measure(module, channels)
    except (ArithmeticError, AssertionError, AttributeError, RuntimeError, ValueError):  # too small for it, or no grid
        return None
    rows, columns = (max(1, round((side - margin) / stride)) for side in own)
    return _Grid(stride=stride, margin=margin, width=width, size=(rows * stride, columns * stride), resizes=True)


def _one_size(made: Any, channels: int, size: tuple[int, int], model: str) -> _Grid:
    """The grid of a model for pictures of one size; pixels beyond whole squares become the margin.

    Raises:
        ValueError: it takes no pictures of that size, or its states are no grid.
    """
    height, width = size
    try:
        states = _states(made, channels, size)
    except Exception as error:  # its own checks of the size
        reason = textwrap.shorten(str(error), REASON, placeholder=" ...")
        raise ValueError(f"{model}: takes no pictures of {height} x {width} pixels ({reason})") from error
    if not isinstance(states, Tensor) or states.ndim not in (3, 4):
        raise ValueError(f"{model}: found several maps as its features, expected one")
    prefix = 0
    if states.ndim == 4:
        found = tuple(states.shape[1:3] if _channels_last(made) else states.shape[2:])
        stride = height // found[0]
    else:
        tokens = states.shape[1]
        own = getattr(made, "num_prefix_tokens", None)
        prefix = tokens - math.isqrt(tokens) ** 2 if own is None else own  # older classes do not declare it
        stride = math.isqrt(height * width // max(1, tokens - prefix))
        found = (height // stride, width // stride)
    margin = height - found[0] * stride
    if margin != width - found[1] * stride or (states.ndim == 3 and math.prod(found) != states.shape[1] - prefix):
        raise ValueError(f"{model}: its states for a picture of {height} x {width} pixels are no grid")
    last = 1 if states.ndim == 4 and not _channels_last(made) else -1
    whole = (found[0] * stride, found[1] * stride)
    return _Grid(stride=stride, margin=margin, prefix=prefix, width=states.shape[last], size=whole, resizes=False)


def _states(made: Any, channels: int, size: tuple[int, int]) -> Any:
    """A picture's features on the meta device."""
    with torch.no_grad():
        return made.forward_features(torch.zeros(1, channels, *size, device="meta"))


def _channels_last(made: Any) -> bool:
    return getattr(made, "output_fmt", None) == "NHWC"
