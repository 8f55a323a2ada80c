"""Which library owns a model for pictures."""

from gnnfuse.nodes.pretrained.image_architecture import (
    ImageArchitecture,
    Normalisation,
    of_torchvision,
    of_transformers,
)
from gnnfuse.nodes.pretrained.timm_architecture import timm_architecture
from gnnfuse.nodes.pretrained.timm_library import WRAPPED, is_timm
from gnnfuse.nodes.pretrained.torchvision_network import PREFIX
from gnnfuse.nodes.pretrained.transformers_library import read_config


def image_architecture(
    model: str, weights: str | None, size: tuple[int, int] | None, normalisation: Normalisation | None
) -> ImageArchitecture:
    """The architecture of a torchvision, timm or transformers model.

    Args:
        model: "torchvision/" or "timm/" and a name, else a name on the hub or a folder, of timm or transformers.
        weights: which of its weights.
        size: of the pictures, for fixed-size networks; by default the library's.
        normalisation: mean and deviation, for weights whose library does not specify them.

    Raises:
        FileNotFoundError: the model's settings are not available locally and cannot be fetched.
        ValueError: the model is unknown, or its states do not lie on a grid.
    """
    if model.startswith(PREFIX):
        return of_torchvision(model.removeprefix(PREFIX), weights, size, normalisation)
    if is_timm(model):
        return timm_architecture(model, weights, size, normalisation)
    config = read_config(model, weights, "vision_config")
    if config.get("model_type") == WRAPPED:
        return timm_architecture(model, weights, size, normalisation)
    return of_transformers(config, model, weights, normalisation)
