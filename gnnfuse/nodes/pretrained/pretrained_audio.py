"""Recordings encoded by a pretrained network whose output frames are nodes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnnfuse.nodes.augmentation import augment_audio
from gnnfuse.nodes.features import RowEncoder
from gnnfuse.nodes.limit import limit_slices
from gnnfuse.nodes.node_type import NodeEncoder, NodeSet, Overflow
from gnnfuse.nodes.pretrained.audio_architecture import AudioArchitecture, audio_architecture
from gnnfuse.nodes.pretrained.audio_backbone import AudioBackbone
from gnnfuse.nodes.pretrained.pretrained_nodes import PretrainedNodes, refuse_shared
from gnnfuse.sample import Sample, media_digest, read_audio
from gnnfuse.sample.audio import EXPECTED, MAX_SECONDS


@dataclass(frozen=True, kw_only=True)
class PretrainedAudio(PretrainedNodes):
    """A recording as the states of a pretrained network, one node per state.

    Frame i covers the samples from `i * hop` to `(i + 1) * hop`, which is its time; the last is padded with silence. A
    state of wav2vec 2.0, HuBERT or WavLM (hop 320) sees 400 samples around the middle of its frame: 40 more on either
    side, silence at the ends, so that a recording of any length has one state per frame. Spectrogram models (AST, hop
    1600; Whisper, hop 320) take windows of fixed length; longer recordings are processed window by window.

    Args:
        model: "torchaudio/" and the name of a pipeline ("torchaudio/WAV2VEC2_BASE"), else an audio model of
            transformers: its name on the hub or its folder.
        signal: the signal it reads (see `gnnfuse.sample.read_audio` for accepted values).
        name: the type's name; the signal's by default.
        weights: for torchaudio, the path of a state dict (.safetensors, .pth); for transformers, a revision on the hub.
        frozen: train only a projection to the size of the states; otherwise everything is trained.
        tuned: of a frozen network, train this many of its last blocks too, at a tenth of the learning rate.
        gradient_checkpointing: recompute inner states in the backward pass (transformers, if the model supports it).
        components: whiten features to this many components before the projection (`Whitening`), learnt on training
            samples before the first step (`fit_task`); None projects the features themselves.
        max_nodes: most nodes per recording; None for no limit.
        overflow: "truncate" keeps the first frames, "pool" lets neighbouring frames share a node (the mean of their
            states), up to `max_pool` of them, "raise" refuses.
        max_pool: most frames in a node when pooling.
        augmentation: changes the waveform `[samples]` at random in training, given a generator.
        max_seconds: longer recordings are refused before decoding (see `gnnfuse.sample.read_audio`).
        architecture: describes the network; read from the library by default, and kept in saved models.

    Raises:
        FileNotFoundError: the model is not available locally and cannot be fetched; the message has the command for it.
        ValueError: an unknown model, or a number out of range.
    """

    modality: ClassVar[str] = "audio"
    readers: ClassVar[tuple[str, ...]] = ("soundfile", "torchaudio")
    model: str
    signal: str = "audio"
    name: str = ""
    weights: str | None = None
    frozen: bool = True
    tuned: int = 0
    gradient_checkpointing: bool = False
    components: int | None = None
    max_nodes: int | None = 2048
    overflow: Overflow = "truncate"
    max_pool: int = 8
    augmentation: Callable[[Tensor, torch.Generator], Tensor] | None = None
    max_seconds: float = MAX_SECONDS
    architecture: AudioArchitecture | None = field(default=None, repr=False)
    provides: frozenset[str] = field(default=frozenset({"order", "time"}), init=False)

    def __post_init__(self) -> None:
        self._prepare(lambda: audio_architecture(self.model, self.weights))
        if self.max_pool < 1:
            raise ValueError(f"node type {self.name!r}: max_pool must be at least 1, found {self.max_pool}")

    @property
    def _made(self) -> AudioArchitecture:
        assert self.architecture is not None
        return self.architecture

    @property
    def sample_rate(self) -> int:
        """Hz; recordings at other rates are resampled."""
        return self._made.sample_rate

    def empty(self) -> NodeSet:
        """No frames."""
        held = () if self._pooled is None else (self.max_pool,)
        return NodeSet(torch.zeros(0, *held, self._made.hop), (0,), time=torch.zeros(0, 2))

    def nodes(self, sample: Sample) -> NodeSet | None:
        """The recording's slices: `[nodes, hop]`, or `[nodes, max_pool, hop]` when pooling."""
        made = self._made
        waveform = self._read(sample)
        if waveform is None:
            return None
        if made.epsilon is not None:
            waveform = F.layer_norm(waveform, waveform.shape, eps=made.epsilon)
        count = -(-len(waveform) // made.hop)
        slices = F.pad(waveform, (0, count * made.hop - len(waveform))).reshape(count, made.hop)
        edges = (torch.arange(count + 1).double() * made.hop / made.sample_rate).float()  # from sample counts
        nodes = NodeSet(slices, (count,), time=torch.stack([edges[:-1], edges[1:]], dim=1))
        return limit_slices(nodes, self.max_nodes, self.overflow, self.max_pool, sample=sample, signal=self.signal)

    def _state_width(self) -> int:
        refuse_shared(self)
        if self._made.window is not None:
            raise ValueError(
                f"node type {self.name!r}: {self.model} reads windows of fixed length, so a cache cannot keep the "
                "states before its tuned blocks by node; train without a cache"
            )
        return self.width

    def content(self, sample: Sample) -> bytes | None:
        """SHA-256 of the recording's file, or of its samples if it is in memory."""
        return media_digest(sample, self.signal, self._read, expected=EXPECTED)

    def around(self, module: nn.Module) -> AudioBackbone:
        """The backbone that reassembles recordings and applies the network to them."""
        made = self._made
        return AudioBackbone(
            module, self.width, hop=made.hop, margin=made.margin, window=made.window, max_nodes=self._pooled
        )

    def projection(self, dim: int) -> NodeEncoder:
        """A linear map of features or their whitened components, plus the time."""
        return RowEncoder(self.width, dim, timed=True, components=self.components)

    def augment(self, sample: Sample, generator: torch.Generator) -> Sample:
        """The sample with its recording changed at random."""
        return augment_audio(sample, self.signal, self.sample_rate, self._read, self.augmentation, generator)

    def _read(self, sample: Sample) -> Tensor | None:
        return read_audio(sample, self.signal, sample_rate=self.sample_rate, max_seconds=self.max_seconds)
