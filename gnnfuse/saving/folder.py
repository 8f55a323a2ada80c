"""A saved model's folder, written so that after an interruption it holds either the old model or the new one.

config.json contains the digest of the weights, and renaming it is the moment of change. Before that, the new weights
already lie beside the old ones under their own name; afterwards they take the usual name. A reader in between, or
after a crash in between, finds them by the digest.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from gnnfuse.data.overwriting import ELSEWHERE
from gnnfuse.sample.whole_file import SAVING, flush, lock, put, remove_unfinished, unfinished_folder, write_whole
from gnnfuse.saving.card import is_untouched
from gnnfuse.saving.config import CONFIG, as_text, is_config
from gnnfuse.saving.describe import Json
from gnnfuse.saving.texts import FOLDER as TEXTS
from gnnfuse.saving.texts import move_texts_out
from gnnfuse.saving.weights import mark_of, write_weights

WEIGHTS: str = "model.safetensors"
CARD: str = "README.md"


def write_folder(
    folder: Path, config: Mapping[str, Json], tensors: Mapping[str, Tensor], digest: str, card: str | None
) -> None:
    """Write config, weights and card (None keeps the existing card), flushed to disk."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    with unfinished_folder(folder) as partial, _naming(folder):  # here, as renaming works only within one file system
        moved = move_texts_out(config["object"], partial)
        (partial / CONFIG).write_text(as_text({**config, "object": moved}), encoding="utf-8")
        write_weights(tensors, partial / WEIGHTS, digest)
        os.chmod(partial / WEIGHTS, (partial / CONFIG).stat().st_mode)  # safetensors makes it private to this user
        if card is not None:
            (partial / CARD).write_text(card, encoding="utf-8")
        for path in partial.rglob("*"):
            flush(path)
        release = lock(partial.parent, wait=True)  # the last steps of two savers must not overlap
        try:
            _put_in_place(partial, folder, digest)
        finally:
            if release is not None:
                release()


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Raise the operating system's error with the folder's name; libraries that write tensors wrap it in their own."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise OSError(f"{folder / WEIGHTS}: the weights cannot be written ({error})") from error
    except OSError as error:
        if error.errno is None or SAVING not in str(error.filename or SAVING):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error


def refuse_foreign(folder: Path) -> None:
    """Refuse to save a model over another program's files with the same names.

    Raises:
        ValueError: names the file.
    """
    config, weights = folder / CONFIG, folder / WEIGHTS
    if config.exists() and not is_config(config):
        foreign = config
    elif weights.exists() and not config.exists() and mark_of(weights) is None:
        foreign = weights
    else:
        return
    raise ValueError(f"{foreign}: found a file that gnnfuse did not write, which would be replaced; {ELSEWHERE}")


def write_card(folder: Path, text: str) -> None:
    """Replace the card atomically."""
    write_whole(folder / CARD, text.encode("utf-8"))


def weights_path(folder: Path, digest: str) -> Path:
    """The file with the weights of this digest; the usual file if none has it."""
    waiting = folder / _waiting(digest)
    usual = folder / WEIGHTS
    return waiting if mark_of(usual) != digest and mark_of(waiting) == digest else usual


def may_write_card(folder: Path) -> bool:
    """Whether the folder has no card, or an unedited one of this library; any other is kept, with a warning."""
    path = folder / CARD
    if not path.exists() or is_untouched(path.read_bytes()):
        return True
    warnings.warn(
        f"{path} was not written by save_pretrained, or changed since: it is kept, and no new model card is written",
        stacklevel=3,
    )
    return False


def _put_in_place(partial: Path, folder: Path, digest: str) -> None:
    for text in (partial / TEXTS).glob("*"):  # named by content: those of an older model stay intact
        (folder / TEXTS).mkdir(exist_ok=True)
        put(text, folder / TEXTS / text.name)
    put(partial / WEIGHTS, folder / _waiting(digest))
    put(partial / CONFIG, folder / CONFIG)  # from here on the folder holds the new model
    with contextlib.suppress(FileNotFoundError):  # another process saved the same weights first
        put(folder / _waiting(digest), folder / WEIGHTS)
    if (partial / CARD).exists():
        put(partial / CARD, folder / CARD)
    for left in folder.glob(_waiting("*")):  # left by a save interrupted before its config was in place
        left.unlink(missing_ok=True)
    flush(folder)


def _waiting(digest: str) -> str:
    return f"model-{digest}.waiting.safetensors"
