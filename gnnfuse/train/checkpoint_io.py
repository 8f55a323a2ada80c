"""How Lightning writes and reads a checkpoint's file."""

import os
from pathlib import Path
from typing import IO, Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from gnnfuse.sample.whole_file import replacing
from gnnfuse.train.checkpoint_files import DIGEST, KEPT, digest_of, numbered


class CheckpointFiles(CheckpointIO):
    """Writes a checkpoint to a temporary file, flushes it to disk and renames it; reads without unpickling.

    A file name holds the first 16 digits of the content's SHA-256, so file and checksum appear together.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint; if the process dies meanwhile, earlier checkpoints stay intact.

        Args:
            checkpoint: what to write.
            path: where; a placeholder from `next_path` is replaced by the digest, and all but the last two are removed.
            storage_options: none are supported.

        Raises:
            OSError: the disk is full or cannot be written; names the folder.
        """
        place = Path(path)

        def named(written: Path) -> Path:
            return place.with_name(place.name.replace(DIGEST, digest_of(written)))

        with replacing(place, final=named) as partial, partial.open("wb") as file:
            _save(checkpoint, file, place)
        if DIGEST in place.name:
            for _, old in numbered(place.parent)[:-KEPT]:
                old.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint: tensors, numbers, strings and containers of them; nothing is unpickled."""
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remove a file."""
        Path(path).unlink(missing_ok=True)


def _save(checkpoint: dict[str, Any], file: IO[bytes], place: Path) -> None:
    """Save with torch, but raise the operating system's error, which torch hides."""
    try:
        torch.save(checkpoint, file)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError) and cause.errno is not None:
            raise OSError(cause.errno, os.strerror(cause.errno), str(place.parent)) from error
        raise OSError(f"{place.parent}: the checkpoint cannot be written ({error})") from error
