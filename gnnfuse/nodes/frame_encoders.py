"""Turns audio frames into vectors, without pretrained weights."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gnnfuse.nodes.frame_summary import CepstrumSummary
from gnnfuse.nodes.node_type import Layout, NodeEncoder
from gnnfuse.nodes.position import PositionEncoding

FLOOR = 1e-5  # power below which a mel band counts as silent; about -50 dB
SPACING = 0.0125  # seconds from one spectrum of a raw slice to the next, each twice as long
LOG_CENTER, LOG_SCALE = -5.0, 4.0  # bring the log power of speech near zero mean and unit deviation


class FrameEncoding(ABC):
    """A way to encode frames; its constructor is its configuration.

    Attributes:
        poolable: whether the mean of several prepared values is meaningful.
    """

    poolable: bool = False

    def prepare(self, slices: Float[Tensor, "nodes samples"], sample_rate: int) -> Float[Tensor, "nodes ..."]:
        """The parameter-free step, done once per sample where the recording is read."""
        return slices.contiguous()

    @abstractmethod
    def module(self, empty: Float[Tensor, "0 ..."], dim: int) -> NodeEncoder:
        """A new encoder for prepared values shaped like `empty`."""

    def summary(self, empty: Float[Tensor, "0 ..."], sample_rate: int) -> CepstrumSummary | None:
        """A new summary of prepared values shaped like `empty`; None for values that are no slices of a waveform."""
        if type(self).prepare is not FrameEncoding.prepare:
            return None
        columns = max(1, round(empty.shape[1] / (SPACING * sample_rate)))
        log_mel = LogMelFrames(columns=columns)
        return CepstrumSummary(log_mel.mels, spectra=partial(log_mel.prepare, sample_rate=sample_rate))


@dataclass(frozen=True, kw_only=True)
class LogMelFrames(FrameEncoding):
    """Log-mel spectra of each frame (torchaudio), then convolutions along time with the bands as channels.

    Args:
        mels: number of mel bands.
        columns: spectra per frame, evenly spaced; each spans twice their spacing.
        width: channels of the convolutions.

    Raises:
        ValueError: a number below 1.
    """

    mels: int = 40
    columns: int = 4
    width: int = 64
    poolable = True

    def __post_init__(self) -> None:
        if min(self.mels, self.columns, self.width) < 1:
            raise ValueError(f"mels, columns and width must be at least 1, found {self}")

    def prepare(self, slices: Float[Tensor, "nodes samples"], sample_rate: int) -> Float[Tensor, "nodes mels columns"]:
        """Log-mel spectra of each slice: `[nodes, mels, columns]`."""
        hop = max(1, -(-slices.shape[1] // self.columns))
        if len(slices) == 0:
            return slices.new_zeros(0, self.mels, self.columns)
        padded = nn.functional.pad(slices, (0, (self.columns + 1) * hop - slices.shape[1]))
        segments = padded.unfold(1, 2 * hop, hop)[:, : self.columns]
        window, bank, size = _mel_bank(2 * hop, self.mels, sample_rate)
        window, bank = window.to(slices), bank.to(slices)
        power = torch.fft.rfft(segments * window, n=size).abs().square() / window.square().sum()
        log_mel = torch.log(power @ bank + FLOOR)
        return ((log_mel - LOG_CENTER) / LOG_SCALE).transpose(1, 2).contiguous()

    def module(self, empty: Float[Tensor, "0 mels columns"], dim: int) -> NodeEncoder:
        """Two convolutions along time with the mel bands as channels, flatten, linear."""
        network = nn.Sequential(
            nn.Conv1d(self.mels, self.width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(self.width, self.width, 3, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(self.width * self.columns, dim),
        )
        return FrameEncoder(network, dim)

    def summary(self, empty: Float[Tensor, "0 mels columns"], sample_rate: int) -> CepstrumSummary:
        """Cepstral coefficients of the spectra."""
        return CepstrumSummary(self.mels)


@dataclass(frozen=True, kw_only=True)
class WaveformFrames(FrameEncoding):
    """A learned filter bank over the raw slice: one wide convolution, magnitude, mean and maximum over time.

    Args:
        filters: number of filters.
        length: filter length in samples.
    """

    filters: int = 64
    length: int = 64

    def module(self, empty: Float[Tensor, "0 samples"], dim: int) -> NodeEncoder:
        """Convolution, log magnitude, pooling, linear."""
        return FrameEncoder(WaveformFilters(self.filters, min(self.length, empty.shape[1]), dim), dim)


class WaveformFilters(nn.Module):
    """`[nodes, samples]` -> `[nodes, dim]` through learned filters."""

    def __init__(self, filters: int, length: int, dim: int) -> None:
        super().__init__()
        self.filters = filters
        self.length = length
        self.dim = dim
        self.convolution = nn.Conv1d(1, filters, length, stride=max(1, length // 4))
        self.linear = nn.Linear(2 * filters, dim)

    def forward(self, slices: Float[Tensor, "nodes samples"]) -> Float[Tensor, "nodes dim"]:
        """Waveform slices in, vectors out."""
        magnitude = torch.log1p(self.convolution(slices.unsqueeze(1)).abs())
        vectors: Tensor = self.linear(torch.cat([magnitude.mean(dim=2), magnitude.amax(dim=2)], dim=1))
        return vectors


class FrameEncoder(NodeEncoder):
    """A network applied to each frame separately, plus its time."""

    def __init__(self, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.network = network
        self.dim = dim
        self.position = PositionEncoding(dim, coordinates=1, periods=(0.1, 100.0), frequencies=16)
        self.norm = nn.LayerNorm(dim)

    def forward(self, values: Float[Tensor, "nodes ..."], layout: Layout) -> Float[Tensor, "nodes dim"]:
        """Prepared frames in, states out."""
        assert layout.time is not None, "audio frames always provide times"
        center = layout.time.mean(dim=1, keepdim=True)
        states: Tensor = self.norm(self.network(values) + self.position(center))
        return states


@cache
def _mel_bank(samples: int, mels: int, sample_rate: int) -> tuple[Tensor, Tensor, int]:
    """Window `[samples]`, filters `[frequencies, mels]` and transform size; fine enough that no filter is empty."""
    from torchaudio.functional import melscale_fbanks

    size = max(256, 1 << (samples - 1).bit_length())
    while True:
        bank = melscale_fbanks(size // 2 + 1, 20.0, sample_rate / 2, mels, sample_rate, norm=None, mel_scale="htk")
        if bool((bank.amax(dim=0) > 0).all()) or size > 1 << 16:
            return torch.hann_window(samples), bank, size
        size *= 2
