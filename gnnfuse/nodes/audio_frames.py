"""Audio frames: slices of the waveform at regular hops, each a node with its time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gnnfuse.nodes.augmentation import augment_audio
from gnnfuse.nodes.frame_encoders import FrameEncoding, LogMelFrames
from gnnfuse.nodes.frame_summary import CepstrumSummary
from gnnfuse.nodes.limit import check_limit, limit_sequence
from gnnfuse.nodes.node_type import NewValues, NodeEncoder, NodeSet, NodeType, Overflow, new_values
from gnnfuse.sample import Sample, read_audio
from gnnfuse.sample.audio import MAX_SECONDS, read_audio_into


@dataclass(frozen=True, kw_only=True)
class AudioFrames(NodeType):
    """A recording as a sequence of frames.

    Frame i begins at `i * hop` and is `window` seconds long; the last frame is padded with silence, so no sample is
    lost. Times are the frame's start and end in seconds.

    Args:
        signal: the signal it reads (see `gnnfuse.sample.read_audio` for accepted values).
        name: the type's name; the signal's by default.
        sample_rate: Hz; recordings at other rates are resampled.
        hop: seconds from one frame to the next.
        window: length of a frame in seconds; `hop` by default; a longer window makes frames overlap.
        encoding: how a slice becomes a vector: `LogMelFrames()`, `WaveformFrames()`.
        max_nodes: most frames per recording; None for no limit.
        overflow: "truncate" keeps the first frames, "pool" averages neighbours (encodings whose prepared values can
            be averaged, log-mel), "raise" refuses.
        augmentation: changes the waveform `[samples]` at random in training, given a generator.
        max_seconds: longer recordings are refused before decoding (see `gnnfuse.sample.read_audio`).

    Raises:
        ValueError: a hop of less than one sample, a window below the hop (samples would be lost), or pooling of
            values whose mean is meaningless.

    Example:
        >>> frames = AudioFrames(sample_rate=16000, hop=0.02)
        >>> from gnnfuse.sample import Audio
        >>> frames.nodes(Sample({"audio": Audio(torch.randn(16000).clamp(-1, 1), 16000)})).shape
        (50,)
    """

    signal: str = "audio"
    name: str = ""
    sample_rate: int = 16000
    hop: float = 0.05
    window: float | None = None
    encoding: FrameEncoding = field(default_factory=LogMelFrames)
    max_nodes: int | None = 2048
    overflow: Overflow = "truncate"
    augmentation: Callable[[Tensor, torch.Generator], Tensor] | None = None
    max_seconds: float = MAX_SECONDS
    provides: frozenset[str] = field(default=frozenset({"order", "time"}), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.signal)
        check_limit(self.max_nodes, self.overflow)
        if self.sample_rate < 1 or self.hop_samples < 1 or self.window_samples < self.hop_samples:
            raise ValueError(
                f"node type {self.name!r}: hop must be at least one sample and window at least hop, found "
                f"hop={self.hop}, window={self.window} at sample_rate={self.sample_rate}"
            )
        if self.overflow == "pool" and not self.encoding.poolable:
            raise ValueError(f"node type {self.name!r}: overflow='pool' cannot average the values of {self.encoding}")

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.sample_rate)

    @property
    def window_samples(self) -> int:
        """Samples in a frame."""
        return self.hop_samples if self.window is None else round(self.window * self.sample_rate)

    def _read(self, sample: Sample) -> Tensor | None:
        return read_audio(sample, self.signal, sample_rate=self.sample_rate, max_seconds=self.max_seconds)

    def empty(self) -> NodeSet:
        """No frames."""
        values = self.encoding.prepare(torch.zeros(0, self.window_samples), self.sample_rate)
        return NodeSet(values, (0,), time=torch.zeros(0, 2))

    def nodes(self, sample: Sample, *, new: NewValues = new_values) -> NodeSet | None:
        """The recording's frames, prepared by the encoding: `[nodes, ...]`."""
        hop, window = self.hop_samples, self.window_samples
        slices = torch.empty(0, window)

        def room(frames: int) -> Tensor:
            """Memory for slices end to end, with silence after the frames."""
            nonlocal slices
            count = _count(frames, hop, window)
            own = type(self.encoding).prepare is FrameEncoding.prepare  # slices are the values
            fits = self.max_nodes is None or count <= self.max_nodes
            slices = (new if own and fits else new_values)((count, window), torch.float32)
            samples = slices.view(-1)
            if frames == count * window:
                return samples
            samples[frames:] = 0
            return samples[:frames]

        if hop == window:
            rate, longest = self.sample_rate, self.max_seconds
            waveform = read_audio_into(room, sample, self.signal, sample_rate=rate, max_seconds=longest)
        else:
            waveform = self._read(sample)
        if waveform is None:
            return None
        count = _count(len(waveform), hop, window)
        if hop != window:
            length = (count - 1) * hop + window
            slices = F.pad(waveform, (0, length - len(waveform))).unfold(0, window, hop)
        elif waveform.data_ptr() != slices.data_ptr():  # from memory, or resampled
            room(len(waveform)).copy_(waveform)
        time = _times(count, hop, window, self.sample_rate).clone()
        nodes = NodeSet(self.encoding.prepare(slices, self.sample_rate), (count,), time=time)
        return limit_sequence(nodes, self.max_nodes, self.overflow, sample=sample, signal=self.signal)

    def encoder(self, dim: int) -> NodeEncoder:
        """The encoding's module."""
        return self.encoding.module(self.empty().values, dim)

    def summary(self) -> CepstrumSummary | None:
        """The encoding's."""
        return self.encoding.summary(self.empty().values, self.sample_rate)

    @property
    def augments(self) -> bool:
        """Whether signals are changed at random in training."""
        return self.augmentation is not None

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with its recording changed at random."""
        return augment_audio(sample, self.signal, self.sample_rate, self._read, self.augmentation, generator)


def _count(frames: int, hop: int, window: int) -> int:
    return max(0, -(-(frames - window) // hop)) + 1


@lru_cache(maxsize=64)
def _times(count: int, hop: int, window: int, sample_rate: int) -> Float[Tensor, "nodes 2"]:
    """The frames' starts and ends in seconds, shared by recordings of equal length."""
    start = torch.arange(count) * hop
    bounds = torch.stack([start, start + window], dim=1)
    return (bounds.double() / sample_rate).float()  # from sample counts: one frame's end equals another's start
