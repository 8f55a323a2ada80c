"""timm's models: names looked up, models made and loaded by timm itself."""

import difflib
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from gnnfuse.nodes.pretrained.network import missing_weights, read_state_dict

PREFIX = "timm/"
WRAPPED = "timm_wrapper"  # transformers' model type for models of timm
FOLDER, HUB = "local-dir:", "hf-hub:"  # timm's own marks
REASON = 300  # characters
_WRONG = {True: "its weights do not fit the model", False: "timm makes no model of it"}


def is_timm(model: str) -> bool:
    """Whether a model's name or folder is timm's; names of other owners on the hub are known by their config only."""
    return model.startswith(PREFIX) or _is_timm_folder(Path(model))


def _is_timm_folder(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # transformers reports it
        return False
    return isinstance(config, dict) and "architecture" in config and "model_type" not in config


def timm_source(model: str, weights: str | None) -> str:
    """The name by which timm makes a model.

    Args:
        model: "timm/" and a name, a folder, or a name on the hub.
        weights: a file of weights with the first, a revision with the last.

    Raises:
        ValueError: timm is not installed or has no such model, or the weights are neither a file nor a revision.
    """
    if not model.startswith(PREFIX):
        if not Path(model).is_dir():
            return HUB + model + ("" if weights is None else f"@{weights}")
        if weights is not None:
            raise ValueError(f"{model}: found weights={weights!r}, expected none: a folder of timm has its own")
        return FOLDER + model
    name = model.removeprefix(PREFIX)
    _check_name(name)
    if weights is not None and not Path(weights).suffix and not Path(weights).exists():
        raise ValueError(f"{model}: found weights={weights!r}, expected a file; names choose timm's own{_listed(name)}")
    return name


def _check_name(name: str) -> None:
    timm = library()
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=3, cutoff=0.5)
        hint = f", did you mean {' or '.join(map(repr, near))}?" if near else ";"
        raise ValueError(f"timm has no model {name!r}{hint} `timm.list_models()` names them")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ValueError(f"timm has no weights {name!r}{_listed(name)}") from error


def _listed(name: str) -> str:
    """The names of a model's listed weights, as part of a message."""
    names = library().list_models(name.partition(".")[0] + ".*", pretrained=True)
    return f", it lists {', '.join(names)}" if names else ""


def library() -> ModuleType:
    """The package timm.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise ValueError(
            'found no package timm, which this model needs; install it with: pip install "gnnfuse[timm]"'
        ) from error
    package: ModuleType = timm
    return package


def make_without_memory(source: str) -> Any:
    """The model on the meta device, to inspect its settings.

    Raises:
        FileNotFoundError: its config is not available locally and cannot be fetched.
        ValueError: timm cannot make it.
    """
    with torch.device("meta"):
        return _create(source, pretrained=False).eval()


def make_model(name: str, arguments: Mapping[str, Any]) -> Any:
    """The model with random weights, without its classifier.

    Raises:
        ValueError: timm has no such model or cannot make it.
    """
    _check_name(name)
    return without_classifier(_create(name, pretrained=False, **arguments))


def load_model(source: str, weights: str | None, arguments: Mapping[str, Any]) -> Any:
    """The model with its weights, without its classifier.

    Args:
        source: timm's name for it.
        weights: a file of weights instead of its own.
        arguments: of its constructor.

    Raises:
        FileNotFoundError: the weights are not available locally and cannot be fetched.
        ValueError: timm has none, or they do not fit.
    """
    if weights is None or source.startswith(HUB):
        return without_classifier(_create(source, pretrained=True, **arguments))
    own = library().get_pretrained_cfg(source).classifier or ()
    heads = tuple(f"{head}." for head in ((own,) if isinstance(own, str) else own))
    state = {name: tensor for name, tensor in read_state_dict(Path(weights)).items() if not name.startswith(heads)}
    overlay = {"state_dict": state, "num_classes": 0, "label_offset": None}
    made = _create(source, pretrained=True, what=weights, pretrained_cfg_overlay=overlay, **arguments)
    made.pretrained_cfg.pop("state_dict")  # a second copy
    return made


def without_classifier(model: Any) -> Any:
    """The model, its classifier taken off where it has one."""
    if hasattr(model, "reset_classifier"):
        model.reset_classifier(0)
    return model


def _create(source: str, *, pretrained: bool, what: str | None = None, **arguments: Any) -> Any:
    timm = library()
    try:
        made: nn.Module = timm.create_model(source, pretrained=pretrained, **arguments)
    except Exception as error:  # whatever a configuration or a state dict of another network provokes
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", REASON, placeholder=" ...")
        if isinstance(error, OSError) and not source.startswith(FOLDER):
            command = f"python -c \"import timm; timm.create_model('{source}', pretrained=True)\""
            raise missing_weights(f"weights of timm's {source!r}", command, OSError(reason)) from error
        raise ValueError(f"{what or source.removeprefix(FOLDER)}: {_WRONG[pretrained]} ({reason})") from error
    return made
