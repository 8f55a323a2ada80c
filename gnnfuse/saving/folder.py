"""A saved model's folder, written so that whatever happens on the way it holds the old model or the new one.

config.json names the weights by their digest, and its renaming is the moment of the change. Before it, the new weights
already lie beside the old ones under a name of their own; after it they take the usual name. A reader that comes in
between, or after a crash in between, finds them by the digest.
"""

import contextlib
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from torch import Tensor

from gnnfuse.nodes.cached.whole_file import write_whole
from gnnfuse.saving.card import is_untouched
from gnnfuse.saving.config import CONFIG, as_text
from gnnfuse.saving.describe import Json
from gnnfuse.saving.texts import FOLDER as TEXTS
from gnnfuse.saving.texts import move_texts_out
from gnnfuse.saving.weights import mark_of, write_weights

WEIGHTS, CARD = "model.safetensors", "README.md"


def write_folder(
    folder: Path, config: Mapping[str, Json], tensors: Mapping[str, Tensor], digest: str, card: str | None
) -> None:
    """Write config, weights and card (None leaves the card that is there), flushed to the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".saving-{uuid4().hex}"  # here, as renaming works within one file system only
    partial.mkdir()
    try:
        moved = move_texts_out(config["object"], partial)
        (partial / CONFIG).write_text(as_text({**config, "object": moved}), encoding="utf-8")
        write_weights(tensors, partial / WEIGHTS, digest)
        os.chmod(partial / WEIGHTS, (partial / CONFIG).stat().st_mode)  # safetensors lets nobody else read it
        if card is not None:
            (partial / CARD).write_text(card, encoding="utf-8")
        for path in partial.rglob("*"):
            _flush(path)
        _put_in_place(partial, folder, digest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_card(folder: Path, text: str) -> None:
    """Replace the card, as a whole."""
    write_whole(folder / CARD, text.encode("utf-8"))


def weights_path(folder: Path, digest: str) -> Path:
    """The file with the weights of this digest; the usual one where none bears it."""
    waiting = folder / _waiting(digest)
    usual = folder / WEIGHTS
    return waiting if mark_of(usual) != digest and mark_of(waiting) == digest else usual


def may_write_card(folder: Path) -> bool:
    """Whether the folder has no card, or one just as it was written here; another's is kept, with a warning."""
    path = folder / CARD
    if not path.exists() or is_untouched(path.read_bytes()):
        return True
    warnings.warn(
        f"{path} was not written by save_pretrained, or changed since: it is kept, and no new model card is written",
        stacklevel=3,
    )
    return False


def _put_in_place(partial: Path, folder: Path, digest: str) -> None:
    for text in (partial / TEXTS).glob("*"):  # named for their content: an older model's are not touched
        (folder / TEXTS).mkdir(exist_ok=True)
        os.replace(text, folder / TEXTS / text.name)
        _flush(folder / TEXTS)
    os.replace(partial / WEIGHTS, folder / _waiting(digest))
    _flush(folder)
    os.replace(partial / CONFIG, folder / CONFIG)  # from here on the folder holds the new model
    _flush(folder)
    with contextlib.suppress(FileNotFoundError):  # another process saved the same weights and was faster
        os.replace(folder / _waiting(digest), folder / WEIGHTS)
    if (partial / CARD).exists():
        os.replace(partial / CARD, folder / CARD)
    for left in folder.glob(_waiting("*")):  # by a save that was cut off before its config was in place
        left.unlink(missing_ok=True)
    _flush(folder)


def _waiting(digest: str) -> str:
    return f"model-{digest}.waiting.safetensors"


def _flush(path: Path) -> None:
    if path.is_dir() and os.name != "posix":
        return  # Windows cannot flush a folder
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
