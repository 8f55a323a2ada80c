"""Finds the shard and row of a content's features by searching sorted keys in place."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Int32, UInt8

from gnnfuse.sample.content import DIGEST_BYTES

Keys = UInt8[np.ndarray, "_ 32"]


@dataclass(frozen=True, eq=False)
class KeyIndex(Sequence[bytes]):
    """Keys in ascending order, each with its shard and row; in memory or mapped from a file.

    Args:
        keys: `[rows, 32]`, ascending.
        shard: the shard of each key.
        row: the row of each key.
    """

    keys: Keys
    shard: Int32[np.ndarray, "rows"]
    row: Int32[np.ndarray, "rows"]

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        return bytes(self.keys[place])

    def find(self, key: bytes) -> tuple[int, int] | None:
        """Shard and row of a key; None if it is missing."""
        place = bisect_left(self, key)
        if place == len(self) or self[place] != key:
            return None
        return int(self.shard[place]), int(self.row[place])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.find(key) is not None


def sort_keys(keys: Sequence[Keys], readable: Sequence[np.ndarray]) -> KeyIndex:
    """The index over the keys of several shards.

    Among rows with the same key, the first that holds features is used, else the first.

    Args:
        keys: per shard, the keys of its rows.
        readable: per shard, whether its rows hold features.
    """
    sizes = [len(of_shard) for of_shard in keys]
    if not sum(sizes):
        return KeyIndex(np.zeros((0, DIGEST_BYTES), np.uint8), np.zeros(0, np.int32), np.zeros(0, np.int32))
    every = np.ascontiguousarray(np.concatenate(list(keys)))
    words = every.view(">u8")  # numbers ordered like the bytes
    order = np.lexsort((~np.concatenate(list(readable)), *words.T[::-1]))
    ordered = words[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    order = order[first]
    shard = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    return KeyIndex(every[order], shard[order], row[order])


def encode_index(index: KeyIndex) -> memoryview:
    """The index as an Arrow file."""
    import pyarrow as pa

    flat = pa.array(index.keys.reshape(-1))
    keys = pa.FixedSizeBinaryArray.from_buffers(pa.binary(DIGEST_BYTES), len(index), [None, flat.buffers()[1]])
    batch = pa.RecordBatch.from_arrays([keys, pa.array(index.shard), pa.array(index.row)], ["key", "shard", "row"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def map_index(path: Path) -> KeyIndex:
    """The index in a file, mapped: a search loads only the keys that it compares."""
    import pyarrow as pa

    batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    return KeyIndex(keys_of(batch.column("key")), batch.column("shard").to_numpy(), batch.column("row").to_numpy())


def keys_of(column: object) -> Keys:
    """A column of keys as bytes, without copying."""
    rows, buffer = len(column), column.buffers()[1]  # type: ignore[arg-type, attr-defined]
    if not rows:
        return np.zeros((0, DIGEST_BYTES), np.uint8)
    return np.frombuffer(buffer, np.uint8, rows * DIGEST_BYTES).reshape(rows, DIGEST_BYTES)
