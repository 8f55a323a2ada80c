"""The methods by which tasks and fusion models are saved and loaded.

They are shortcuts to `gnnfuse.saving`, a later stage that knows every earlier one; it is looked up in the catalogue
when a method is called, so that importing a model does not import it.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import torch

from gnnfuse.catalog import later  # not from gnnfuse: to mypy every early stage would depend on the whole
from gnnfuse.model_card import ModelCard


class Saveable:
    """Can be saved to a folder, loaded from a folder or the hub, and pushed to the hub."""

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: ModelCard | None = None) -> None:
        """Write construction, weights and a model card into a folder; see `gnnfuse.saving.save_pretrained`."""
        _saving("save_pretrained")(self, folder, card=card)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        classes: Sequence[type] = (),
        device: torch.device | str = "cpu",
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Read an object of this class from a folder or the hub; see `gnnfuse.saving.from_pretrained`.

        Raises:
            ValueError: it is of another class; also as `gnnfuse.saving.from_pretrained`.
        """
        own = [] if cls.__module__.startswith("gnnfuse.") else [cls]  # calling its own method implies trust in it
        found = _saving("from_pretrained")(
            source,
            classes=[*checked_classes(classes), *own],
            device=device,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        if not isinstance(found, cls):
            inner = getattr(found, "model", None)
            hint = "; it is the .model of what gnnfuse.from_pretrained gives" if isinstance(inner, cls) else ""
            raise ValueError(f"{os.fspath(source)}: found a {type(found).__name__}, expected a {cls.__name__}{hint}")
        return found

    def push_to_hub(
        self,
        repo_id: str,
        *,
        card: ModelCard | None = None,
        private: bool | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> str:
        """Save it to a repository of the Hugging Face hub; see `gnnfuse.saving.push_to_hub`."""
        address: str = _saving("push_to_hub")(self, repo_id, card=card, private=private, revision=revision, token=token)
        return address


def checked_classes(classes: object) -> tuple[type, ...]:
    """The classes that a caller passed as `classes=`, once each is known to be one.

    Raises:
        ValueError: no list or tuple, or an entry that is no class.

    Example:
        >>> checked_classes(int)
        Traceback (most recent call last):
        ...
        ValueError: found classes=<class 'int'>, expected a list of classes, such as classes=[int]
    """
    if isinstance(classes, str | bytes) or not isinstance(classes, Iterable):
        such = f", such as classes=[{classes.__name__}]" if isinstance(classes, type) else ""
        raise ValueError(f"found classes={classes!r}, expected a list of classes{such}")
    found = tuple(classes)
    for each in found:
        if not isinstance(each, type):
            raise ValueError(f"found {each!r} in classes=, expected classes: import it and pass the class itself")
    return found


def _saving(name: str) -> Any:
    return later(name)
