"""From a model that reads cached features to one that runs the whole encoders."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import torch

from gnnfuse.fusion import FusionModel
from gnnfuse.nodes import CachedNodes, EncodedNodes
from gnnfuse.saveable import checked_classes
from gnnfuse.saving.build import build
from gnnfuse.saving.describe import Json, describe, place_of
from gnnfuse.tasks import Blend, Task

Module = TypeVar("Module", Task, FusionModel)
CACHED, ENCODED, BLEND = place_of(CachedNodes), place_of(EncodedNodes), place_of(Blend)


def uncached(module: Module, *, classes: Sequence[type] = (), any_version: bool = False) -> Module:
    """A task or model that reads signals themselves, made from one that was trained on cached features.

    It is built from the description of the old one, with each `CachedNodes` replaced by the node type whose
    features it reads; encoders' weights come from their source, all others from the old one, which is left unchanged.

    Args:
        module: the task or model.
        classes: the caller's own node types, rules, layers, readouts, models or tasks in it, as `from_pretrained` takes
            them.
        any_version: accept an encoder that is not identical, in every bit and in library versions, to the one whose
            features the model was trained on. Outputs then differ.

    Returns:
        An object of the same class, on the same device, in evaluation mode.

    Raises:
        FileNotFoundError: an encoder's weights are not on this machine.
        ValueError: it reads no cached features, or its encoder's weights, arguments or library versions have changed.

    Example:
        >>> from gnnfuse.fusion import Concat
        >>> from gnnfuse.nodes import TextTokens
        >>> uncached(Concat([TextTokens()], dim=8, depth=1))
        Traceback (most recent call last):
        ...
        ValueError: Concat: found no node type that reads cached features
    """
    classes, found = checked_classes(classes), dict[tuple[str, int], CachedNodes]()
    described = _without_cache(describe(module), classes, found)
    if not found:
        raise ValueError(f"{type(module).__name__}: found no node type that reads cached features")
    for cached in found.values():
        if not any_version:
            cached.check_encoder()
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        made = build(described, classes=classes)
    assert isinstance(made, type(module))
    _load(made, module.state_dict())
    device = next(each.device for each in chain(module.parameters(), module.buffers()))  # trees have no parameters
    return made.to(device).eval()


def _without_cache(
    described: Json, classes: Sequence[type], found: dict[tuple[str, int], CachedNodes], *, member: bool = False
) -> Json:
    """The description without caches; members of a blend read the features that the blend makes, unless tuned."""
    again = partial(_without_cache, classes=classes, found=found)
    if isinstance(described, list):
        return [again(item, member=member) for item in described]
    if not isinstance(described, dict):
        return copy.copy(described)
    if described.get("class") == CACHED and "arguments" in described:
        cached = build(described, classes=classes)
        assert isinstance(cached, CachedNodes)
        found[cached.name, cached.of.tuned] = cached
        of: Json = described["arguments"]["of"]
        return {"class": ENCODED, "arguments": {"of": of}} if member and not cached.of.tuned else of
    if described.get("class") == BLEND and "arguments" in described:
        given = described["arguments"].items()
        return {**described, "arguments": {name: again(item, member=name == "members") for name, item in given}}
    return {name: again(item, member=member) for name, item in described.items()}


def _load(made: Any, weights: Mapping[str, torch.Tensor]) -> None:
    """Load all weights of the old module; entries that only the new one has belong to backbones."""
    missing, unexpected = made.load_state_dict(weights, strict=False)
    stray = [*unexpected, *(name for name in missing if ".backbone." not in f".{name}")]
    assert not stray, f"weights that only one of the two modules has: {stray[:5]}"
