"""Running frozen encoders once over all samples and keeping their features."""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from gnnfuse.busy_cores import yielding_cores
from gnnfuse.data.rejects import OnError, Reject, check_on_error
from gnnfuse.data.sample_stream import SampleStream
from gnnfuse.devices import device_of
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import Backbone, CachedNodes, Layout, NodeSet, PretrainedNodes
from gnnfuse.nodes.cached import FeatureFolder, FeatureWriter, StoredType
from gnnfuse.observer import Advance, Observer, or_silent
from gnnfuse.reading.content_readings import ContentReading, content_readings
from gnnfuse.sample import Sample


@dataclass(frozen=True)
class CacheReport:
    """The outcome for one node type's signals: counts of features computed, found, absent and unreadable.

    Args:
        node_type: reads from the cache; use it in place of the node type whose encoder ran.
        samples: number of samples.
        made: contents whose features were computed in this run.
        found: samples whose features existed already, from an earlier run or a sample with the same content.
        absent: samples without the signal.
        rejects: signals that cannot be read, in the order of samples.
        damaged: feature shards that did not match their checksum; they were removed and, as far as the samples cover
            them, made again.
        seconds: wall-clock time.
    """

    node_type: CachedNodes
    samples: int
    made: int
    found: int
    absent: int
    rejects: tuple[Reject, ...]
    damaged: tuple[Path, ...]
    seconds: float

    def __str__(self) -> str:
        counts = (
            f"{self.made:,} made, {self.found:,} there already, {self.absent:,} empty, {len(self.rejects):,} unreadable"
        )
        of = self.node_type
        return f"{of.signal}: features of {of.of.model} in {of.folder}: {counts}, in {self.seconds:.1f} s"


def cache_samples(
    samples: Sequence[Sample] | SampleStream,
    node_types: Sequence[PretrainedNodes],
    folder: str | os.PathLike[str],
    *,
    dtype: StoredType = "float32",
    batch_size: int = 32,
    workers: int = 0,
    device: str = "auto",
    on_error: OnError = "stop",
    wait: bool = False,
    observer: Observer | None = None,
) -> tuple[CacheReport, ...]:
    """Run frozen encoders over all samples and keep their features in a folder, for training to read.

    Features are keyed by the encoder's fingerprint (weights, arguments, library versions) and the content of a signal:
    content that is cached already is not encoded again, under whatever name, and features of other content or of
    another encoder are never used for it. An interrupted or killed run continues where it stopped; after a kill at most
    the last minute, or 64 MB, is computed again. Damaged shards are found by their checksums, reported with a warning
    and made again. Nothing is ever evicted: delete the folder for that.

    Args:
        samples: what to encode; a stream is read once per node type.
        node_types: the node types whose encoders run, one after the other.
        folder: the cache; created if missing, and shared by any number of encoders and data sets.
        dtype: "float32" keeps every bit, "float16" takes half the space.
        batch_size: samples per encoder call.
        workers: processes that read and decode; 0 reads in this process.
        device: where the encoders run: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", "mps".
        on_error: "stop" raises at the first signal that cannot be read; "missing" and "skip" list them as rejects and
            record the failure, so that training treats them as it would without a cache.
        wait: if another process writes the same features, wait until it ends, then make what is missing.
        observer: receives progress and the reports; none by default.

    Returns:
        A report per node type, with the node type that reads from the cache.

    Raises:
        FileNotFoundError: an encoder's weights are not on this machine.
        ValueError: an encoder is trained or its signals are augmented, another process writes the same features
            and `wait` is not set, or a signal cannot be read and `on_error` is "stop"; features made before are kept.

    Example:
        >>> from gnnfuse.nodes import PretrainedImage
        >>> def train_on_features(samples):
        ...     photo = PretrainedImage(model="torchvision/resnet18", signal="photo")
        ...     [report] = cache_samples(samples, [photo], "features")
        ...     return GraphBuilder([report.node_type])
    """
    check_on_error(on_error)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
    cached = [CachedNodes(of=node_type, folder=os.fspath(folder), dtype=dtype) for node_type in node_types]
    place = device_of(device)
    observer = or_silent(observer)
    rows, reports = samples.size() if isinstance(samples, SampleStream) else len(samples), []
    for each in cached:
        with yielding_cores(), observer.begins(f"encoding {each.signal} by {each.of.model}", rows) as advance:
            run = _EncoderRun(each, batch_size, workers, place, on_error, wait, advance)
            reports.append(run.over(samples))
        observer.says(str(reports[-1]))
    return tuple(reports)


@dataclass(frozen=True)
class _EncoderRun:
    """One encoder's run over all samples."""

    cached: CachedNodes
    batch_size: int
    workers: int
    device: torch.device
    on_error: OnError
    wait: bool
    advance: Advance

    def over(self, samples: Sequence[Sample] | SampleStream) -> CacheReport:
        started, counts, node_type = time.monotonic(), _Counts(), self.cached.of
        place = FeatureFolder(Path(self.cached.folder), self.cached.fingerprint, self.cached.dtype, self.cached.command)
        backbone = node_type.backbone()
        if node_type.fingerprint(backbone) != self.cached.fingerprint:
            raise ValueError(
                f"node type {node_type.name!r}: the weights of {node_type.model} changed while features were computed"
            )
        run = features_by(node_type, backbone.to(self.device))
        builder = GraphBuilder([node_type], extra="ignore")
        described = {"type": type(node_type).__name__, "model": node_type.model, "weights": node_type.weights}
        with FeatureWriter(
            place, {**described, "width": node_type.kept_width}, wait=self.wait, trims=node_type.tuned > 0
        ) as writer:
            _tell_damaged(writer)
            readings = content_readings(builder, node_type, samples, writer.complete(), self.workers)
            wanted = self._wanted(readings, writer, counts)
            while batch := list(islice(wanted, self.batch_size)):
                for reading, nodes in zip(batch, encode(run, builder, batch, self.device), strict=True):
                    _add(writer, reading, nodes)
        counts.made = writer.made - counts.noted
        return CacheReport(
            node_type=self.cached,
            samples=counts.samples,
            made=counts.made,
            found=counts.samples - counts.made - counts.absent - len(counts.rejects),
            absent=counts.absent,
            rejects=tuple(counts.rejects),
            damaged=tuple(writer.damaged),
            seconds=time.monotonic() - started,
        )

    def _wanted(
        self, readings: Iterator[ContentReading], writer: FeatureWriter, counts: "_Counts"
    ) -> Iterator[ContentReading]:
        """The readings to encode, each content once; the others are counted."""
        coming: set[bytes] = set()
        for reading in readings:
            counts.samples += 1
            counts.absent += reading.key is None and reading.reason is None
            if reading.reason is not None:
                self._reject(reading, writer, counts)
            elif reading.key is not None and reading.packed is not None and reading.key not in coming:
                if len(coming) >= self.batch_size:  # the previous batch was written, so the writer knows its contents
                    coming.clear()
                if not writer.has(reading.key):
                    coming.add(reading.key)
                    yield reading
            self.advance()

    def _reject(self, reading: ContentReading, writer: FeatureWriter, counts: "_Counts") -> None:
        assert reading.reason is not None
        if self.on_error == "stop":
            raise ValueError(
                f"row {reading.number + 1}, {reading.id!r}, signal {self.cached.signal!r}: {reading.reason}"
            )
        counts.rejects.append(Reject(reading.number + 1, reading.id, self.cached.signal, reading.reason, False))
        if reading.key is not None:
            before = writer.made
            writer.add(reading.key, None)
            counts.noted += writer.made - before


class _Counts:
    """The counts of a run."""

    def __init__(self) -> None:
        self.samples = self.absent = self.noted = self.made = 0
        self.rejects: list[Reject] = []


def features_by(node_type: PretrainedNodes, backbone: Backbone) -> Callable[[Tensor, Layout], Tensor]:
    """What gives the features that are kept; where blocks are tuned, the states before them."""
    return partial(backbone.states, cut=node_type.cut(backbone)) if node_type.tuned else backbone


def encode(
    run: Callable[[Tensor, Layout], Tensor],
    builder: GraphBuilder,
    readings: Sequence[ContentReading],
    device: torch.device,
) -> list[NodeSet]:
    """The nodes of each reading, with their features as values, from one call of the encoder."""
    graphs = [reading.graph for reading in readings]
    batch = builder.collate(graphs).to(device)
    [name] = batch.values
    with torch.inference_mode():
        features = run(batch.values[name], batch.layout[name]).float().cpu()
    whole = [graph.nodes[name] for graph in graphs]
    parts = torch.split(features, [0 if nodes is None else nodes.num_nodes for nodes in whole])
    return [
        NodeSet(part, nodes.shape, nodes.position, nodes.time, nodes.dropped)
        for part, nodes in zip(parts, whole, strict=True)
        if nodes is not None
    ]


def _add(writer: FeatureWriter, reading: ContentReading, nodes: NodeSet) -> None:
    assert reading.key is not None
    try:
        writer.add(reading.key, nodes)
    except ValueError as error:
        raise ValueError(f"sample {reading.id!r}: {error}") from error


def _tell_damaged(writer: FeatureWriter) -> None:
    if writer.damaged:
        names = ", ".join(path.name[:16] for path in writer.damaged[:3])
        warnings.warn(
            f"{writer.place.folder}: {len(writer.damaged)} shards did not match their checksum ({names} ...); they "
            "were removed, and their features are made again",
            stacklevel=4,
        )
