"""Cepstra of a recording, against the transform of scipy and means by hand."""

import math

import pytest
import torch
from scipy.fft import dct
from torch import Tensor

from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import AudioFrames, FrameEncoding, LogMelFrames, NodeEncoder, WaveformFrames
from gnnfuse.nodes.frame_summary import CepstrumSummary
from gnnfuse.sample import Audio, Sample

RATE = 8000


def recording(seconds: float = 1.0) -> Tensor:
    return torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def test_means_and_deviations_of_each_segment() -> None:
    node_type = AudioFrames(sample_rate=RATE, hop=0.05, encoding=LogMelFrames(mels=8, columns=2))
    batch = GraphBuilder([node_type])([Sample({"audio": Audio(recording(), RATE)})])
    spectra = batch.values["audio"]
    found = CepstrumSummary(8, segments=4, coefficients=3)(spectra, batch.layout["audio"])[0]
    every = spectra.transpose(1, 2).reshape(-1, 8).numpy()  # 20 frames of 2 columns, in order
    cepstra = torch.tensor(dct(every, type=2, norm="ortho", axis=1))[:, :3]
    cepstra[:, 0] *= math.sqrt(2)  # scipy divides the first by it
    segments = cepstra.reshape(4, 10, 3)
    mean, deviation = segments.mean(dim=1), segments.std(dim=1, correction=0)
    expected = torch.cat([mean.flatten(), deviation.flatten(), torch.tensor([math.log1p(20)])])
    assert torch.allclose(found, expected.float(), atol=1e-4)


def test_slices_of_a_waveform_are_heard_as_spectra_are() -> None:
    """A higher tone moves both alike: the same signs of the second coefficient's change."""
    changes = []
    for encoding in (LogMelFrames(), WaveformFrames()):
        node_type = AudioFrames(sample_rate=RATE, hop=0.05, encoding=encoding)
        time = torch.arange(RATE) / RATE
        tones = [Sample({"audio": Audio(torch.sin(2 * math.pi * hertz * time), RATE)}) for hertz in (300, 3000)]
        batch, module = GraphBuilder([node_type])(tones), node_type.summary()
        assert module is not None
        low, high = module(batch.values["audio"], batch.layout["audio"])
        changes.append((high - low)[1])
    assert changes[0] < -1
    assert changes[1] < -1


@pytest.mark.parametrize("seconds", [0.01, 0.2])
def test_a_recording_shorter_than_its_segments_has_finite_numbers(seconds: float) -> None:
    node_type = AudioFrames(sample_rate=RATE, hop=0.05, encoding=LogMelFrames(columns=1))
    batch = GraphBuilder([node_type])([Sample({"audio": Audio(recording(seconds), RATE)})])
    module = node_type.summary()
    assert module is not None
    assert module(batch.values["audio"], batch.layout["audio"]).isfinite().all()


class Energy(FrameEncoding):
    def prepare(self, slices: Tensor, sample_rate: int) -> Tensor:
        return slices.square().mean(dim=1, keepdim=True)

    def module(self, empty: Tensor, dim: int) -> NodeEncoder:
        raise NotImplementedError


def test_values_of_an_encoding_of_ones_own_have_no_summary() -> None:
    assert AudioFrames(encoding=Energy()).summary() is None
