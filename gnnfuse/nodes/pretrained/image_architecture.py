"""The input of an image network and the grid of its states, read from the library that owns it."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gnnfuse.nodes.pretrained.network import Network
from gnnfuse.nodes.pretrained.torchvision_network import (
    FeatureMap,
    TorchvisionNetwork,
    build_without_memory,
    extract,
    listed_weights,
    needed_arguments,
    of_one_size,
)
from gnnfuse.nodes.pretrained.transformers_library import make_model, read_processor
from gnnfuse.nodes.pretrained.transformers_network import TransformersImageNetwork, last_states

LARGE = 512  # pixels; far above any network's stride
RESAMPLING: Mapping[int, str] = {0: "nearest", 1: "bicubic", 2: "bilinear", 3: "bicubic"}  # Pillow's; Lanczos is 1
UNIT_RANGE = 1 / 255


@dataclass(frozen=True, kw_only=True)
class ImageArchitecture:
    """A network for pictures.

    Args:
        network: describes how to make it.
        stride: pixels from one state to the next, in both directions.
        margin: pixels added around a picture, so that every square of `stride` pixels gets exactly one state.
        size: height and width of the pictures if the network depends on them; None accepts any.
        resizes: the network also accepts sizes other than `size`.
        channels: of the pictures.
        mean: per channel, subtracted from pixels in 0..1.
        std: per channel, the divisor after that.
        interpolation: "bilinear", "bicubic" or "nearest": how pictures were resized in training.
    """

    network: Network
    stride: int
    margin: int = 0
    size: tuple[int, int] | None = None
    resizes: bool = True
    channels: int = 3
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"


Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


def of_torchvision(
    name: str, weights: str | None, size: tuple[int, int] | None, normalisation: Normalisation | None
) -> ImageArchitecture:
    """The architecture of a torchvision network, by its name without the prefix."""
    settings = _torchvision_settings(name, weights)
    if normalisation is None and settings is None:
        raise ValueError(f"torchvision names no mean and std for {name!r}, pass mean= and std=")
    mean, std = normalisation or (tuple(settings.mean), tuple(settings.std))
    arguments = needed_arguments(name, weights)
    whole = build_without_memory(name, arguments)
    module = FeatureMap(extract(whole))
    interpolation = "bilinear" if settings is None else settings.interpolation.value
    fixed = _fixed_size(name, settings, size) if of_one_size(whole) else None
    if fixed is None:
        stride, margin, width = measure(module)
    else:
        width, rows = _map(module, fixed[0])
        stride, margin = fixed[0] // rows, 0
    side = 2 * stride + margin
    small = fixed or (side, side)
    return ImageArchitecture(
        network=TorchvisionNetwork(name=name, width=width, size=small, arguments=arguments),
        stride=stride,
        margin=margin,
        size=fixed,
        resizes=fixed is None,
        mean=mean,
        std=std,
        interpolation=interpolation,
    )


def _fixed_size(name: str, settings: Any, size: tuple[int, int] | None) -> tuple[int, int]:
    if size is not None:
        return size
    if settings is None:
        raise ValueError(f"torchvision names no size for {name!r}, which needs pictures of one size: pass size=")
    return settings.crop_size[0], settings.crop_size[0]


def _torchvision_settings(name: str, weights: str | None) -> Any:
    """The preprocessing that torchvision's weights expect; weights in a file are assumed to match the default ones."""
    from torchvision.models import get_model_weights

    listed = listed_weights(name, weights)
    if listed is None:
        try:
            listed = get_model_weights(name).DEFAULT
        except ValueError:  # a network that a user registered
            return None
    return listed.transforms()


def measure(module: nn.Module, channels: int = 3) -> tuple[int, int, int]:
    """Stride, margin and width of a network that takes pictures of any size.

    A stack of convolutions yields `(side - field) // stride + 1` states, so the margin lies within one stride.
    """
    width, count = _map(module, LARGE, channels)
    stride = LARGE // (_map(module, 2 * LARGE, channels)[1] - count)
    margin = max(0, LARGE - stride * (count + 1) + 1)
    while _map(module, 8 * stride + margin, channels)[1] < 8:
        margin += 1
    counts = [_map(module, rows * stride + margin, channels)[1] for rows in (1, 2, 3, 8)]
    if counts != [1, 2, 3, 8]:
        raise ValueError(f"{type(module).__name__}: its states do not lie on a grid of {stride} pixels")
    return stride, margin, width


def _map(module: nn.Module, side: int, channels: int = 3) -> tuple[int, int]:
    """Width and rows of a square picture's states."""
    with torch.no_grad():
        states = module(torch.zeros(1, channels, side, side, device="meta"))
    return states.shape[1], states.shape[2]


def of_transformers(
    config: dict[str, Any], model: str, weights: str | None, normalisation: Normalisation | None
) -> ImageArchitecture:
    """The architecture of a transformers model with this configuration."""
    settings = read_processor("AutoImageProcessor", model, weights) if normalisation is None else {}
    mean, std = normalisation or _normalisation(model, settings)
    with torch.device("meta"):
        made = make_model(config).eval()
    channels = config.get("num_channels", 3)
    interpolates = "interpolate_pos_encoding" in inspect.signature(made.forward).parameters

    def states(size: tuple[int, int]) -> Tensor:
        pixels = torch.zeros(1, channels, *size, device="meta")
        with torch.no_grad():
            return last_states(made, pixels, interpolates=interpolates)

    size = _pair(config.get("image_size") or LARGE)
    found = states(size)
    if found.ndim == 4:
        stride, prefix, small, resizes = size[0] // found.shape[2], 0, None, True
    else:
        stride, prefix, resizes = _patches(states, size, model)
        small = size
    network = TransformersImageNetwork(
        config=config,
        width=found.shape[1] if found.ndim == 4 else found.shape[2],
        stride=stride,
        prefix=prefix,
        interpolates=interpolates,
        size=size if small else (stride, stride),
    )
    return ImageArchitecture(
        network=network,
        stride=stride,
        size=small,
        resizes=resizes,
        channels=channels,
        mean=mean,
        std=std,
        interpolation=RESAMPLING.get(settings.get("resample", 2), "bilinear"),
    )


def _patches(states: Callable[[tuple[int, int]], Tensor], size: tuple[int, int], model: str) -> tuple[int, int, bool]:
    """Stride, number of non-patch tokens, and whether other sizes are accepted."""
    height, width = size
    tokens = states(size).shape[1]
    try:
        patches = (states((2 * height, 2 * width)).shape[1] - tokens) // 3
        resizes = True
    except (AssertionError, RuntimeError, ValueError):
        patches, resizes = math.isqrt(tokens) ** 2, False
    stride = math.isqrt(height * width // max(1, patches))
    if stride == 0 or (height // stride) * (width // stride) != patches:
        raise ValueError(f"{model}: its {tokens} states for a picture of {height} x {width} pixels do not form a grid")
    return stride, tokens - patches, resizes


def _normalisation(model: str, settings: Mapping[str, Any]) -> Normalisation:
    if settings.get("do_rescale", True) and not math.isclose(settings.get("rescale_factor", UNIT_RANGE), UNIT_RANGE):
        raise ValueError(f"{model}: rescales pixels by {settings['rescale_factor']}, expected to 0..1")
    if not settings.get("do_normalize", True):
        return (0.0,), (1.0,)
    return tuple(settings["image_mean"]), tuple(settings["image_std"])


def _pair(size: object) -> tuple[int, int]:
    match size:
        case [int() as height, int() as width]:
            return height, width
        case int():
            return size, size
    raise ValueError(f"found an image size of {size!r}, expected one number or two")
