"""Adds features to a cache; a kill at any moment loses at most the unwritten shard."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from gnnfuse.nodes.cached.errors import CacheError
from gnnfuse.nodes.cached.feature_folder import FeatureFolder, Manifest, is_whole, shard_name
from gnnfuse.nodes.cached.key_index import KeyIndex, Keys, encode_index, sort_keys
from gnnfuse.nodes.cached.shard import Shard, StoredFeatures, encode_shard, row_of
from gnnfuse.nodes.node_type import NodeSet
from gnnfuse.sample.whole_file import lock, remove_unfinished, write_whole

SHARD_BYTES = 64 * 1024 * 1024
SHARD_SECONDS = 60.0
INDEX = "index-"
SHARD, INDEX_NAME = re.compile(r"[0-9a-f]{64}\.arrow"), re.compile(INDEX + r"[0-9a-f]{16}\.arrow")


class FeatureWriter:
    """Adds to the features of one encoder; used in a `with` statement.

    Opening it checks every shard by its SHA-256; damaged ones are removed, and their entries count as missing. Shards
    are written atomically. Leaving the `with` statement, also by an error, writes the pending rows, the index and the
    list of files; a killed process loses only the last shard.

    Args:
        place: the features' folder.
        encoder: a short description of the encoder, for human readers.
        shard_bytes: approximate size of a shard.
        shard_seconds: maximum age of a shard before it is written, whatever its size.
        wait: if another process is writing there, wait until it ends.
        trims: zeros at the end of a sample's values are left out.

    Attributes:
        damaged: the shards that were removed.
        made: rows added so far.

    Raises:
        CacheError: another process is writing there, and `wait` is not set.
    """

    def __init__(
        self,
        place: FeatureFolder,
        encoder: Mapping[str, object],
        *,
        shard_bytes: int = SHARD_BYTES,
        shard_seconds: float = SHARD_SECONDS,
        wait: bool = False,
        trims: bool = False,
    ) -> None:
        self.place = place
        self.damaged: list[Path] = []
        self.made = 0
        self._encoder = encoder
        self._trims = trims
        self._limits = shard_bytes, shard_seconds
        place.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(place, wait)
        remove_unfinished(place.folder)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._keys: list[tuple[str, Keys, np.ndarray]] = []
        for path in sorted(place.folder.iterdir()):
            if SHARD.fullmatch(path.name):  # other files do not belong to the cache
                self._take(path)
        self._known = self._sorted()
        self._new: dict[bytes, bool] = {}
        self._rows: list[StoredFeatures] = []
        self._gathered = 0
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
            self._finish()
        finally:
            if self._lock is not None:
                self._lock()

    def complete(self) -> KeyIndex:
        """The contents whose features existed on opening; unreadable ones are tried again."""
        held = [(keys[readable], readable[readable]) for _, keys, readable in self._keys]
        return sort_keys([keys for keys, _ in held], [readable for _, readable in held])

    def has(self, key: bytes, *, readable: bool = True) -> bool:
        """Whether a content has an entry at least this good."""
        if self._new.get(key, False) or (not readable and key in self._new):
            return True
        found = self._known.find(key)
        return found is not None and (not readable or bool(self._keys[found[0]][2][found[1]]))

    def add(self, key: bytes, nodes: NodeSet | None) -> None:
        """Add a sample's features (`values` is `[nodes, width]`); None records that the signal cannot be read.

        Existing entries are left unchanged.

        Raises:
            ValueError: a feature is too large for the dtype.
        """
        if self.has(key, readable=nodes is not None):
            return
        row = row_of(key, nodes, self.place.dtype, trim=self._trims)
        self._new[key] = row.readable
        self._rows.append(row)
        self._gathered += row.num_bytes
        self.made += 1
        most, longest = self._limits
        if self._gathered >= most or time.monotonic() - self._since >= longest:
            self.flush()

    def flush(self) -> None:
        """Write the pending rows as a shard."""
        if self._rows:
            content = encode_shard(self._rows)
            name = shard_name(content)
            write_whole(self.place.folder / name, content)
            self._sizes[name] = len(content), len(self._rows)
            keys = np.frombuffer(b"".join(row.key for row in self._rows), np.uint8).reshape(len(self._rows), -1)
            self._keys.append((name, keys, np.array([row.readable for row in self._rows])))
        self._rows, self._gathered, self._since = [], 0, time.monotonic()

    def _take(self, path: Path) -> None:
        if not is_whole(path):
            path.unlink()
            self.damaged.append(path)
            return
        shard = Shard(path, self.place.dtype)
        self._sizes[path.name] = path.stat().st_size, len(shard)
        self._keys.append((path.name, shard.keys.copy(), shard.readable))

    def _sorted(self) -> KeyIndex:
        return sort_keys([keys for _, keys, _ in self._keys], [readable for _, _, readable in self._keys])

    def _finish(self) -> None:
        self._keys.sort(key=lambda shard: shard[0])  # the index numbers shards by name
        content = encode_index(self._sorted())
        digest = hashlib.sha256(content).hexdigest()
        name = f"{INDEX}{digest[:16]}.arrow"
        write_whole(self.place.folder / name, content)
        self.place.write_manifest(Manifest((name, digest), self._sizes), self._encoder)
        for path in list(self.place.folder.iterdir()):
            if INDEX_NAME.fullmatch(path.name) and path.name != name:
                path.unlink()  # processes that have it mapped keep it


def _lock(place: FeatureFolder, wait: bool) -> Callable[[], None] | None:
    """Held until the process ends, however it ends; without effect on systems that lack such locks."""
    path = place.folder / ".lock"
    path.touch()
    try:
        return lock(path, wait=wait)
    except BlockingIOError as error:
        raise CacheError(f"{place.folder}: another process is writing there, wait until it has finished") from error
