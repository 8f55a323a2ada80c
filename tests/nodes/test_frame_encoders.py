import math
from typing import Any

import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from gnnfuse.nodes import LogMelFrames
from gnnfuse.nodes.frame_encoders import FLOOR, LOG_CENTER, LOG_SCALE


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5


def test_each_column_is_the_log_mel_spectrum_that_torchaudio_finds_for_its_segment() -> None:
    slices = noise(3, 800)  # four columns 200 apart, each over 400 samples, the last over its 200 and silence
    found = LogMelFrames(mels=40, columns=4).prepare(slices, 16000)
    assert found.shape == (3, 40, 4)
    spectrum = MelSpectrogram(
        16000, n_fft=512, win_length=400, hop_length=512, f_min=20.0, n_mels=40, center=False, power=2.0, norm=None
    )
    for row in range(3):
        for column in range(4):
            segment = torch.zeros(400)
            part = slices[row, 200 * column : 200 * column + 400]
            segment[: len(part)] = part
            centered = torch.nn.functional.pad(segment, (56, 56))  # torchaudio centres the window in n_fft
            power = spectrum(centered)[:, 0] / torch.hann_window(400).square().sum()
            expected = (torch.log(power + FLOOR) - LOG_CENTER) / LOG_SCALE
            torch.testing.assert_close(found[row, :, column], expected, rtol=1e-4, atol=1e-4)


def test_a_tone_is_loudest_in_its_band() -> None:
    time = torch.arange(800) / 16000
    mels = 40
    top, bottom = 2595 * math.log10(1 + 8000 / 700), 2595 * math.log10(1 + 20 / 700)
    for frequency in (300.0, 1000.0, 4000.0):
        found = LogMelFrames(mels=mels, columns=1).prepare(torch.sin(2 * math.pi * frequency * time)[None], 16000)
        mel = 2595 * math.log10(1 + frequency / 700)
        band = (mel - bottom) / (top - bottom) * (mels + 1) - 1  # bands are centred on equal steps in mel
        assert abs(int(found[0, :, 0].argmax()) - band) <= 0.5


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 160, 801])
@pytest.mark.parametrize("columns", [1, 4, 7])
def test_slices_of_any_length_have_finite_spectra(samples: int, columns: int) -> None:
    for slices in (torch.zeros(2, samples), noise(2, samples)):
        found = LogMelFrames(mels=8, columns=columns).prepare(slices, 16000)
        assert found.shape == (2, 8, columns)
        assert bool(torch.isfinite(found).all())


def test_a_slice_has_the_spectrum_that_it_has_alone() -> None:
    slices = noise(5, 800)
    together = LogMelFrames().prepare(slices, 16000)
    for row in range(5):
        torch.testing.assert_close(LogMelFrames().prepare(slices[row : row + 1], 16000)[0], together[row])


@pytest.mark.parametrize("arguments", [{"mels": 0}, {"columns": 0}, {"width": 0}])
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        LogMelFrames(**arguments)
