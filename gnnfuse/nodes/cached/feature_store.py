"""Features of one encoder, looked up by content."""

import hashlib
from pathlib import Path

from gnnfuse.nodes.cached.feature_folder import FeatureFolder
from gnnfuse.nodes.cached.key_index import KeyIndex, map_index
from gnnfuse.nodes.cached.shard import Shard, StoredFeatures


class FeatureStore:
    """One encoder's features in a finished cache, mapped from its files.

    Opening it reads and checks the list of files and the sorted keys; a row's checksum is verified when it is first
    read. Additions by a killed run become visible only when a later run ends.

    Args:
        place: the features' folder.

    Raises:
        CacheError: there are none, or a file is missing or damaged; names the command that repairs it.
    """

    def __init__(self, place: FeatureFolder) -> None:
        self.place = place
        manifest = place.read_manifest()
        self._names = tuple(sorted(manifest.shards))
        self._sizes = manifest.shards
        self._index = self._map_index(*manifest.index)
        for name in self._names:
            self._check_size(place.folder / name)
        self._shards: dict[int, Shard] = {}

    def __len__(self) -> int:
        return len(self._index)

    def find(self, key: bytes) -> StoredFeatures | None:
        """The entry for a content; None if it has no entry.

        Raises:
            CacheError: it is damaged.
        """
        found = self._index.find(key)
        if found is None:
            return None
        shard, number = found
        row = self._shard(shard).row(number)
        if row is None or row.key != key:
            path = self.place.folder / self._names[shard]
            raise self.place.damaged(path, f"row {number} does not match its checksum")
        return row

    def _map_index(self, name: str, sha256: str) -> KeyIndex:
        path = self.place.folder / name
        if not path.is_file():
            raise self.place.damaged(path, "found no file there")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise self.place.damaged(path, "found other keys than were written")
        return map_index(path)

    def _check_size(self, path: Path) -> None:
        size = path.stat().st_size if path.is_file() else None
        expected = self._sizes[path.name][0]
        if size != expected:
            what = "no file there" if size is None else f"{size} bytes"
            raise self.place.damaged(path, f"found {what}, expected {expected} bytes")

    def _shard(self, number: int) -> Shard:
        if number not in self._shards:
            path = self.place.folder / self._names[number]
            try:
                self._shards[number] = Shard(path, self.place.dtype)
            except Exception as error:  # readers may raise anything on a damaged file
                raise self.place.damaged(path, f"found no readable shard ({error})") from error
            rows = self._sizes[path.name][1]
            if len(self._shards[number]) != rows:
                raise self.place.damaged(path, f"found {len(self._shards[number])} rows, expected {rows}")
        return self._shards[number]
