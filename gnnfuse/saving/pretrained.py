"""`save_pretrained` and `from_pretrained`: a task or a model as a folder, like Hugging Face's."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gnnfuse.fusion import FusionModel
from gnnfuse.model_card import ModelCard
from gnnfuse.saveable import checked_classes
from gnnfuse.saving.build import build
from gnnfuse.saving.card import card_text, is_untouched
from gnnfuse.saving.config import CONFIG, config_of, listing_in, read_config
from gnnfuse.saving.folder import CARD, WEIGHTS, may_write_card, refuse_foreign, weights_path, write_card, write_folder
from gnnfuse.saving.hub import local_folder
from gnnfuse.saving.old_formats import renamed, upgraded
from gnnfuse.saving.texts import read_texts
from gnnfuse.saving.weights import (
    check_unchanged,
    digest_of,
    listing,
    load_weights,
    read_weights,
    tensors_of,
)
from gnnfuse.saving.within_bounds import within_bounds
from gnnfuse.tasks import Task


def save_pretrained(
    module: Task | FusionModel, folder: str | os.PathLike[str], *, card: ModelCard | None = None
) -> None:
    """Write a task or a fusion model into a folder: its construction, its weights, and a model card.

    `config.json` holds the format number, the versions that wrote it, the whole construction (`describe`: model, node
    types with their fitted values, edge rules, readout, layers, target encoding with label names), and dtype, shape and
    checksum of every tensor. `model.safetensors` holds the weights, `texts/` holds long texts (tokenizers).
    `README.md` is the model card; a card from elsewhere, or one that was edited since, is kept. Existing files with the
    other names are replaced, further files stay. A crash at any moment leaves either the old model or the new one.

    Args:
        module: the task or model.
        folder: created if missing.
        card: facts that the model does not know about itself: data, licence, metrics.

    Raises:
        ValueError: a part does not keep its constructor's arguments, or is a function or a tensor; or the folder
            holds a config or weights that another program wrote.
        OSError: the disk is full or cannot be written; names the folder.

    Example:
        >>> import tempfile
        >>> from gnnfuse.fusion import JointTransformer
        >>> from gnnfuse.nodes import TextTokens
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_pretrained(JointTransformer([TextTokens()], dim=8, depth=1), folder)
        ...     from_pretrained(folder).depth
        1
    """
    folder = Path(folder)
    refuse_foreign(folder)
    tensors = tensors_of(module)
    listed = listing(tensors, module)
    config = config_of(module, listed)
    text = card_text(module, ModelCard() if card is None else card) if may_write_card(folder) else None
    write_folder(folder, config, tensors, digest_of(listed), text)


def save_card(module: Task | FusionModel, folder: str | os.PathLike[str], card: ModelCard) -> None:
    """Rewrite the model card of a saved model with facts that became known after it was saved.

    A card that `save_pretrained` kept because it came from elsewhere is kept here too.

    Args:
        module: the task or model that was saved.
        folder: its folder.
        card: facts that the model does not know about itself.
    """
    folder = Path(folder)
    if is_untouched((folder / CARD).read_bytes()):
        write_card(folder, card_text(module, card))


def from_pretrained(
    source: str | os.PathLike[str],
    *,
    classes: Sequence[type] = (),
    device: torch.device | str = "cpu",
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
) -> Task | FusionModel:
    """Read a task or a fusion model from a folder or from the Hugging Face hub, in evaluation mode.

    Nothing is unpickled, and for a folder nothing is downloaded; the only classes built are those that this library
    exports, the catalogue lists, or the caller passes. From a hub repository only config.json, model.safetensors and
    texts/ are downloaded, into the hub's cache, from which they are read when offline.

    Args:
        source: a folder that `save_pretrained` wrote, or a hub id ("user/name") if there is no such folder.
        classes: the caller's own node types, rules, layers, readouts, models or tasks that the model may contain.
        device: where to put the weights.
        revision: branch, tag or commit on the hub.
        cache_dir: the hub's cache, if not the usual one.
        local_files_only: search only in the hub's cache.

    Raises:
        FileNotFoundError: neither a folder nor a model on the hub or in its cache, or one of the files is missing.
        ValueError: a newer format, a damaged file, a class that is not allowed, weights that are missing, unexpected,
            of another shape or altered, a config and weights of different saves, a config that describes a far larger
            model than the weights, or parts that would have to be downloaded.
    """
    classes = checked_classes(classes)
    folder = local_folder(source, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only)
    config, weights, path = _read(folder)
    listed = listing_in(config)
    if listed is not None:
        check_unchanged(weights, listed, path)
        listed = renamed(listed, config["format"])
    weights = renamed(weights, config["format"])
    described = read_texts(upgraded(config["object"], config["format"]), folder)
    sizes = {name: tensor.nbytes for name, tensor in weights.items()}
    with within_bounds(described, sizes, folder / CONFIG):  # the weights drawn in building are discarded
        module = build(described, classes=classes)
    if not isinstance(module, Task | FusionModel):
        raise ValueError(f"{folder / CONFIG}: found a {type(module).__name__}, expected a task or a fusion model")
    load_weights(module, weights, listed, path)
    return module.eval().to(device)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], Path]:
    """Config and weights of the same save, even while another process saves into the folder."""
    config = read_config(folder / CONFIG)
    while True:
        digest = config["weights"]["digest"] if config["format"] > 1 else None
        path = folder / WEIGHTS if digest is None else weights_path(folder, digest)
        weights, mark = read_weights(path, listing_in(config))
        if digest is None or mark in (None, digest):
            return config, weights, path
        again = read_config(folder / CONFIG)
        if again == config:
            raise ValueError(
                f"{folder}: {CONFIG} and {path.name} are of two different saves (the weights have digest {mark}, the "
                f"config names {digest}); copy both from one save"
            )
        config = again
