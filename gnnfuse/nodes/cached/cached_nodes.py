"""Nodes of a frozen encoder, with precomputed features read from disk."""

import math
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnnfuse.nodes.cached.cached_encoder import CachedEncoder
from gnnfuse.nodes.cached.errors import CacheError, NotCachedError
from gnnfuse.nodes.cached.feature_folder import FeatureFolder, StoredType
from gnnfuse.nodes.cached.feature_store import FeatureStore
from gnnfuse.nodes.cached.shard import StoredFeatures
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, NodeType
from gnnfuse.nodes.pretrained.encoder import PretrainedEncoder
from gnnfuse.nodes.pretrained.network import weights_are_to_follow
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes
from gnnfuse.nodes.summary import MeanSummary
from gnnfuse.sample import Sample


@dataclass(frozen=True, kw_only=True)
class CachedNodes(NodeType):
    """A frozen pretrained node type whose features are read from a cache, which `gnnfuse.cache_samples` makes.

    The nodes are the same, their values are the backbone's features `[nodes, width]`, and the encoder is only the
    projection. Where the last blocks are tuned, values are the states before those blocks `[nodes, kept_width]`, and
    the encoder goes on from there. A signal is looked up by its content, which is hashed at every read, and by the
    encoder's fingerprint (weights, arguments, versions of the libraries), so features from other bytes or another
    encoder are never used. An unreadable signal is an error, as without a cache.

    A trained model needs the cache to predict; `gnnfuse.saving.uncached` turns it into one that runs the encoder.

    Args:
        of: the node type, frozen, without augmentation.
        folder: the cache.
        dtype: how features are stored: "float32", bit for bit as computed, or "float16", half the size.
        fingerprint: of the encoder whose features a model was trained on; read from the encoder by default, and kept in
            saved models. If it differs from the encoder's current one, using the cache is an error.

    Raises:
        FileNotFoundError: the encoder's weights are not available locally.
        ValueError: the encoder is trained, or its signals are augmented, so its features change.
    """

    of: PretrainedNodes
    folder: str
    dtype: StoredType = "float32"
    fingerprint: str = field(default="", repr=False)
    name: str = field(init=False)
    signal: str = field(init=False)
    provides: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        for own in ("name", "signal", "provides"):
            object.__setattr__(self, own, getattr(self.of, own))
        object.__setattr__(self, "folder", os.fspath(self.folder))
        if self.dtype not in get_args(StoredType):
            raise ValueError(f"node type {self.name!r}: dtype {self.dtype!r}, expected one of {get_args(StoredType)}")
        if not self.of.frozen:
            raise ValueError(
                f"node type {self.name!r}: found a trained encoder, expected frozen features, which do not change"
            )
        if self.of.augments:
            raise ValueError(
                f"node type {self.name!r}: found augmentation, which cached features cannot reflect, expected none"
            )
        if not self.fingerprint and not weights_are_to_follow():
            if self.of.tuned:
                self.of.tail()  # raises if it cannot go on from what is kept
            object.__setattr__(self, "fingerprint", self.of.fingerprint())
            self.__dict__["_current"] = self.fingerprint

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_store"}  # each process maps its own

    @property
    def command(self) -> str:
        """The command that makes the features."""
        words = ["gnnfuse", "cache", "TABLE", f"--{self.of.modality}-encoder", self.of.model]
        words += [] if self.of.weights is None else [f"--{self.of.modality}-weights", self.of.weights]
        words += [] if not self.of.tuned else ["--tune-last", str(self.of.tuned)]
        words += ["--out", self.folder] + ([] if self.dtype == "float32" else ["--dtype", self.dtype])
        called = f"gnnfuse.cache_samples(samples, [{type(self.of).__name__}(...)], {self.folder!r})"
        return f"{shlex.join(words)} (or in Python {called})"

    def empty(self) -> NodeSet:
        """No nodes."""
        return self.of.empty_features()

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The sample's features, float32: `[nodes, width]`; or states, `[nodes, kept_width]`.

        Raises:
            NotCachedError: the cache has none for this content.
            CacheError: the cache was made by another encoder, is unfinished or damaged.
            SignalError: the signal cannot be read.
        """
        key = self.of.content(sample)
        if key is None:
            return None
        row = self._opened().find(key)
        if row is None:
            raise NotCachedError(sample, self.signal, self.folder, self.command)
        if not row.readable:
            self.of.nodes(sample)  # raises if it is unreadable
            raise CacheError(
                f"sample {sample.id!r}, signal {self.signal!r}: it was unreadable when the cache was made, but is "
                f"readable now; make its features with: {self.command}"
            )
        return self._nodes(row)

    def encoder(self, dim: int) -> NodeEncoder:
        """The projection, and the tuned blocks before it."""
        if not self.of.tuned:
            return CachedEncoder(self.of.projection(dim))
        backbone, cut = self.of.tail()
        return PretrainedEncoder(backbone, self.of.projection(dim), frozen=True, tuned=True, cut=cut)

    def summary(self) -> MeanSummary | None:
        """The mean of the features; none where blocks are tuned, as they change."""
        return None if self.of.tuned else MeanSummary(self.of.width)

    def check_encoder(self) -> None:
        """Refuse an encoder other than the one whose features a model was trained on.

        Raises:
            CacheError: weights, arguments or versions differ.
        """
        if "_current" not in self.__dict__:
            self.__dict__["_current"] = self.of.fingerprint()
        if self.fingerprint and self.__dict__["_current"] != self.fingerprint:
            raise CacheError(
                f"node type {self.name!r}: {self.of.model} is not the encoder whose features the model was trained on: "
                "its weights, arguments or the versions of its libraries differ"
            )

    def _opened(self) -> FeatureStore:
        store: FeatureStore | None = self.__dict__.get("_store")
        if store is None:
            self.check_encoder()
            place = FeatureFolder(Path(self.folder), self.__dict__["_current"], self.dtype, self.command)
            store = self.__dict__["_store"] = FeatureStore(place)
        return store

    def _nodes(self, row: StoredFeatures) -> NodeSet:
        width, empty = self.of.kept_width, self.of.empty()
        nodes = math.prod(row.shape.tolist()) if self.of.tuned else len(row.values) // width
        position = None if empty.position is None else _tensor(row.position, nodes, empty.position.shape[1])
        time = None if empty.time is None else _tensor(row.time, nodes, 2)
        whole = np.pad(row.values, (0, nodes * width - len(row.values)))  # zeros at the end of states are not stored
        values = _tensor(whole, nodes, width)
        return NodeSet(values, tuple(row.shape.tolist()), position, time, row.dropped)


def _tensor(numbers: NDArray[Any], rows: int, columns: int) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32, copy=False)).reshape(rows, columns)
