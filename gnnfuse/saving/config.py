"""config.json: the format number, the versions that wrote it, the construction, and the list of tensors."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gnnfuse import __version__
from gnnfuse.saving.describe import Json, describe
from gnnfuse.saving.texts import LONGEST
from gnnfuse.saving.weights import Listing, digest_of

FORMAT = 4  # 1 had no checksums and no derived buffers; 2 had tasks without objectives; 3 had no heads of their own
CONFIG = "config.json"
DEEPEST = 100  # a nested level takes several calls; saved models have about twenty levels


def config_of(module: nn.Module, listed: Listing) -> dict[str, Json]:
    """The content of config.json for a task or fusion model and its tensors.

    Raises:
        ValueError: a part does not keep its constructor's arguments, or is a function or a tensor.
    """
    return {
        "format": FORMAT,
        "gnnfuse": __version__,
        "torch": torch.__version__,
        "object": describe(module),
        "weights": {"digest": digest_of(listed), "tensors": dict(listed)},
    }


def as_text(config: dict[str, Json]) -> str:
    """The file's text, which is the same whenever the same model is saved."""
    return json.dumps(config, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_config(path: Path) -> dict[str, Any]:
    """The content of config.json.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is not JSON, has another format, or lacks an entry.
    """
    if not path.is_file():
        raise FileNotFoundError(f"found no {path.name} in {path.parent}, expected what save_pretrained wrote")
    if path.stat().st_size > LONGEST:
        raise ValueError(f"{path}: damaged, found {path.stat().st_size:,} bytes, expected at most {LONGEST:,}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged, not JSON ({error})") from error
    if not isinstance(config, dict) or not {"format", "object"} <= config.keys():
        raise ValueError(f"{path}: found no format and no object, expected what gnnfuse's save_pretrained wrote")
    _check_depth(config, path)
    _check_format(config, path)
    if config["format"] > 1:
        _check_listing(config, path)
    return config


def is_config(path: Path) -> bool:
    """Whether a file is a config of this library, of any format and even if otherwise damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"format", "object"} <= found.keys()


def listing_in(config: dict[str, Any]) -> Listing | None:
    """A config's list of tensors; None in format 1."""
    return config["weights"]["tensors"] if config["format"] > 1 else None


def _check_depth(config: dict[str, Any], path: Path) -> None:
    """Refuse a config nested so deeply that building it would exhaust Python's stack.

    Raises:
        ValueError: names the file and the limit.
    """
    level: list[Any] = [config]
    for _ in range(DEEPEST):
        level = [item for value in level if isinstance(value, dict | list) for item in _items(value)]
    if level:
        raise ValueError(f"{path}: damaged, found entries nested more than {DEEPEST} deep")


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _check_format(config: dict[str, Any], path: Path) -> None:
    found, writer = config["format"], config.get("gnnfuse")
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ValueError(f"{path}: found format {found!r}, written by gnnfuse {writer}; expected a number from 1 on")
    if found > FORMAT:
        raise ValueError(
            f"{path}: found format {found}, written by gnnfuse {writer}; gnnfuse {__version__} reads formats up to "
            f"{FORMAT}: update it (pip install --upgrade gnnfuse)"
        )


def _check_listing(config: dict[str, Any], path: Path) -> None:
    match config.get("weights"):
        case {"digest": str(), "tensors": dict() as tensors} if all(map(_is_entry, tensors.values())):
            return
    raise ValueError(f"{path}: damaged, found no list of the weights with their checksums")


def _is_entry(entry: object) -> bool:
    match entry:
        case {"dtype": str(), "shape": list(), "sha256": str(), "derived": bool()}:
            return True
    return False
