"""Shards: features of some hundred samples in one memory-mapped Arrow file, each row with a checksum."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gnnfuse.nodes.cached.key_index import Keys, keys_of
from gnnfuse.nodes.node_type import NodeSet
from gnnfuse.sample.content import DIGEST_BYTES

LISTS = ("values", "shape", "position", "time")


class StoredFeatures(NamedTuple):
    """The stored features of one sample, as flat numbers.

    Args:
        key: of its content.
        readable: whether it has features; False records that the signal cannot be read.
        values: `nodes * width` features.
        shape: of the `NodeSet`.
        position: `nodes * coordinates` numbers, or none.
        time: `nodes * 2` numbers, or none.
        dropped: of the `NodeSet`.
    """

    key: bytes
    readable: bool
    values: NDArray[Any]
    shape: NDArray[np.int64]
    position: NDArray[np.float32]
    time: NDArray[np.float32]
    dropped: int

    @property
    def num_bytes(self) -> int:
        """Approximate size in a shard."""
        return DIGEST_BYTES + sum(int(getattr(self, name).nbytes) + 8 for name in LISTS)

    def checksum(self) -> int:
        """CRC-32 over everything."""
        found = zlib.crc32(self.key + bytes([self.readable]) + int(self.dropped).to_bytes(8, "little", signed=True))
        for name in LISTS:
            found = zlib.crc32(memoryview(getattr(self, name)), found)
        return found


def row_of(key: bytes, nodes: NodeSet | None, dtype: str, *, trim: bool = False) -> StoredFeatures:
    """A sample's features in stored form, perhaps without zeros at the end; `nodes` None records an unreadable signal.

    Raises:
        ValueError: a feature is too large for the dtype.
    """
    nothing = np.zeros(0, np.float32)
    if nodes is None:
        return StoredFeatures(key, False, nothing.astype(dtype), np.zeros(0, np.int64), nothing, nothing, 0)
    full = nodes.values.numpy().reshape(-1)
    full = np.trim_zeros(full, "b") if trim else full
    with np.errstate(over="ignore"):  # raises below
        values = full.astype(dtype)
    if np.isinf(values).sum() != np.isinf(full).sum():
        raise ValueError(f"features up to {np.abs(full).max():g} are too large for {dtype}, give dtype='float32'")
    shape = np.array(nodes.shape, np.int64)
    position, time = (nothing if t is None else t.numpy().reshape(-1) for t in (nodes.position, nodes.time))
    return StoredFeatures(key, True, values, shape, position.astype(np.float32), time.astype(np.float32), nodes.dropped)


def encode_shard(rows: Sequence[StoredFeatures]) -> memoryview:
    """Rows as an Arrow file."""
    import pyarrow as pa

    columns = {
        "key": pa.array([row.key for row in rows], pa.binary(DIGEST_BYTES)),
        "readable": pa.array(np.array([row.readable for row in rows], np.uint8)),
        **{name: _lists([getattr(row, name) for row in rows]) for name in LISTS},
        "dropped": pa.array([row.dropped for row in rows], pa.int64()),
        "checksum": pa.array([row.checksum() for row in rows], pa.uint32()),
    }
    batch = pa.RecordBatch.from_arrays(list(columns.values()), schema=_schema(rows[0].values.dtype))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _schema(dtype: np.dtype[Any]) -> Any:
    import pyarrow as pa

    lists = {"values": pa.from_numpy_dtype(dtype), "shape": pa.int64(), "position": pa.float32(), "time": pa.float32()}
    return pa.schema(
        {
            "key": pa.binary(DIGEST_BYTES),
            "readable": pa.uint8(),
            **{name: pa.large_list(kind) for name, kind in lists.items()},
            "dropped": pa.int64(),
            "checksum": pa.uint32(),
        }
    )


def _lists(parts: Sequence[NDArray[Any]]) -> Any:
    import pyarrow as pa

    offsets = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(parts)))


@dataclass(frozen=True, eq=False)
class _List:
    """A column of lists as two arrays in mapped memory."""

    offsets: NDArray[np.int64]
    numbers: NDArray[Any]

    def copy(self, row: int) -> NDArray[Any]:
        """One row's numbers, copied into memory."""
        return self.numbers[self.offsets[row] : self.offsets[row + 1]].copy()


class Shard:
    """A shard, mapped: a row is loaded into memory on access.

    Args:
        path: the file.
        dtype: of the features.

    Raises:
        ValueError: a file with another layout. A damaged file raises any of Arrow's errors.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        import pyarrow as pa

        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        expected = _schema(np.dtype(dtype))
        if not reader.schema.equals(expected) or reader.num_record_batches != 1:
            raise ValueError(f"found {reader.schema}, expected one batch of {expected}")
        batch = reader.get_batch(0)
        batch.validate()
        self.keys: Keys = keys_of(batch.column("key"))
        self.readable: NDArray[np.bool_] = batch.column("readable").to_numpy() != 0
        self._lists = {
            name: _List(batch.column(name).offsets.to_numpy(), batch.column(name).values.to_numpy()) for name in LISTS
        }
        self._dropped: NDArray[np.int64] = batch.column("dropped").to_numpy()
        self._checksum: NDArray[np.uint32] = batch.column("checksum").to_numpy()
        self._checked = np.zeros(len(self.keys), bool)

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, number: int) -> StoredFeatures | None:
        """One row; None if its checksum does not match, which is checked once per row and process."""
        found = StoredFeatures(
            key=bytes(self.keys[number]),
            readable=bool(self.readable[number]),
            **{name: of_row.copy(number) for name, of_row in self._lists.items()},
            dropped=int(self._dropped[number]),
        )
        if not self._checked[number]:
            if found.checksum() != int(self._checksum[number]):
                return None
            self._checked[number] = True
        return found
