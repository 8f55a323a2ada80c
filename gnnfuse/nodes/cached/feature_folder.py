"""The folder of one encoder's features in a cache, and its manifest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gnnfuse.nodes.cached.errors import CacheError
from gnnfuse.sample.whole_file import write_whole

FORMAT = 1
MANIFEST = "complete.json"
StoredType = Literal["float32", "float16"]


@dataclass(frozen=True)
class Manifest:
    """The contents of a finished cache; written last, so that everything it lists exists.

    Args:
        index: name and SHA-256 of the file with the sorted keys.
        shards: name -> (bytes, rows).
    """

    index: tuple[str, str]
    shards: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class FeatureFolder:
    """The folder of one encoder's features in a cache.

    Args:
        cache: the cache.
        fingerprint: of the encoder: its weights, arguments and versions.
        dtype: how features are stored.
        command: the command that makes or repairs the features, for messages.
    """

    cache: Path
    fingerprint: str
    dtype: StoredType
    command: str

    @property
    def folder(self) -> Path:
        """The path, different for each encoder, version and dtype."""
        return self.cache / f"{self.fingerprint}-{self.dtype}"

    def damaged(self, path: Path, found: str) -> CacheError:
        """The error for a file that was changed since it was written."""
        return CacheError(f"{path}: {found}; replace damaged files with: {self.command}")

    def read_manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            CacheError: the cache was never finished, has another format, or was changed.
        """
        path = self.folder / MANIFEST
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            if found["format"] != FORMAT:
                raise CacheError(f"{path}: found format {found['format']!r}, expected {FORMAT}")
            known = found["fingerprint"], found["dtype"]
            index = found["index"]["file"], found["index"]["sha256"]
            shards = {name: (int(size), int(rows)) for name, (size, rows) in found["shards"].items()}
        except FileNotFoundError as error:
            what = self._nothing()
            raise CacheError(f"cache {str(self.cache)!r}: {what}; make or finish them with: {self.command}") from error
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self.damaged(path, f"found no list of a cache's files ({error!r})") from error
        except CacheError:
            raise
        if known != (self.fingerprint, self.dtype):
            raise self.damaged(path, "found another encoder's list")
        return Manifest(index, shards)

    def _nothing(self) -> str:
        if self.folder.is_dir():
            return "the features of this encoder are unfinished"
        if not self.cache.is_dir():
            return "found no such folder"
        lists = list(self.cache.glob(f"*/{MANIFEST}"))
        other = [path for path in lists if path.parent.name.startswith(self.fingerprint)]
        if other:
            return f"found no features of this encoder as {self.dtype}, only as {other[0].parent.name.split('-')[1]}"
        held = f" (but of {len(lists)} with other weights, arguments or versions)" if lists else ""
        return f"found no features of this encoder{held}"

    def write_manifest(self, manifest: Manifest, encoder: Mapping[str, object]) -> None:
        """Write the manifest, with a short description of the encoder for human readers."""
        described = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "dtype": self.dtype,
            "encoder": dict(encoder),
            "index": dict(zip(("file", "sha256"), manifest.index, strict=True)),
            "shards": {name: list(sizes) for name, sizes in sorted(manifest.shards.items())},
        }
        write_whole(self.folder / MANIFEST, json.dumps(described, indent=1).encode())


def shard_name(content: bytes | memoryview) -> str:
    """The name of a shard: the hash of its content, by which it can be checked."""
    return f"{hashlib.sha256(content).hexdigest()}.arrow"


def is_whole(path: Path) -> bool:
    """Whether a shard's content matches the hash in its name."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.stem
