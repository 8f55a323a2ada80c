"""The Hugging Face hub: the source of a saved model if there is no folder of that name, and a place to upload it.

`huggingface_hub.PyTorchModelHubMixin` would provide the same methods, but it removes config.json before it writes,
loads pickles if there is no safetensors file, silently loads weights that do not fit, and must be a base class, so
that every import of a model would import the hub's client. The functions beneath it are used instead.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gnnfuse.fusion import FusionModel
from gnnfuse.model_card import ModelCard
from gnnfuse.saving.config import CONFIG, read_config
from gnnfuse.saving.folder import WEIGHTS
from gnnfuse.saving.texts import text_files
from gnnfuse.tasks import Task


def local_folder(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    beside: Sequence[str] = (),
) -> Path:
    """The folder itself, or the folder in the hub's cache with the downloaded files of the model.

    Args:
        source: the folder, or a hub id.
        revision: branch, tag or commit on the hub.
        cache_dir: the hub's cache, if not the usual one.
        local_files_only: search only in the hub's cache.
        beside: further files that a repository must have.

    Raises:
        FileNotFoundError: neither exists; the message explains how to download the model.
    """
    folder = Path(source)
    if folder.is_dir() or not isinstance(source, str) or not _is_hub_id(source):
        if not folder.is_dir():
            raise FileNotFoundError(f"found no folder {folder}, expected what save_pretrained wrote")
        return folder
    from huggingface_hub import hf_hub_download

    cache = None if cache_dir is None else Path(cache_dir)

    def fetch(file: str, revision: str | None) -> Path:
        return Path(
            hf_hub_download(source, file, revision=revision, cache_dir=cache, local_files_only=local_files_only)
        )

    try:
        found = fetch(CONFIG, revision).parent
        for file in (WEIGHTS, *text_files(read_config(found / CONFIG)["object"]), *beside):
            fetch(file, found.name)  # the folder is named after the commit: all files belong to one commit
    except Exception as error:  # errors of the hub and of its client have no common base
        raise FileNotFoundError(_not_found(source, revision, error)) from error
    return found


def push_to_hub(
    module: Task | FusionModel,
    repo_id: str,
    *,
    card: ModelCard | None = None,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> str:
    """Save a task or fusion model to a hub repository, in one commit; returns the commit's URL.

    Args:
        module: the task or model.
        repo_id: "user/name"; created if missing.
        card: as in `save_pretrained`; its name is `repo_id` by default.
        private: whether a newly created repository is private; the account's default by default.
        revision: branch to push to; "main" by default.
        token: by default that of `hf auth login`.
    """
    from dataclasses import replace

    from huggingface_hub import HfApi

    from gnnfuse.saving.pretrained import save_pretrained

    card = ModelCard() if card is None else card
    api = HfApi(token=token)
    name = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(module, folder, card=card if card.name else replace(card, name=name))
        commit = api.upload_folder(
            repo_id=name, folder_path=folder, revision=revision, commit_message=f"{type(module).__name__} of gnnfuse"
        )
    return str(commit)


def _is_hub_id(source: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(source)
    except HFValidationError:
        return False
    return source.count("/") == 1


def _not_found(source: str, revision: str | None, error: Exception) -> str:
    at = f" --revision {revision}" if revision else ""
    return (
        f"found neither a folder {source!r} nor a saved model of that name on the hub or in its cache "
        f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); where there is a network, "
        f"`hf download {source}{at}` fetches it"
    )
