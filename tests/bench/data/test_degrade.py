import numpy as np
import pytest

from gnnfuse.bench.data.degrade import Degrade


def toy() -> Degrade:
    components = np.array([[0.6, 0.8, 0, 0], [0, 0, 1, 0]], dtype=np.float32)
    return Degrade(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32), components)


def test_a_picture_worked_out_on_paper() -> None:
    """x - mean = (.9, -.2, .7, -.4); along (.6, .8) .38, along the third 0.7; the fourth is lost."""
    degraded = toy().picture(np.array([[255, 0], [255, 0]], dtype=np.uint8))
    assert degraded.flatten().tolist() == pytest.approx([0.328, 0.504, 1.0, 0.4])


def test_what_leaves_the_range_is_clipped() -> None:
    lifted = Degrade(np.array([0.9, 0.0], dtype=np.float32), np.array([[1.0, -1.0]], dtype=np.float32))
    picture = lifted.picture(np.array([[255, 0]], dtype=np.uint8))
    assert (float(picture.min()), float(picture.max())) == (0.0, 1.0)


@pytest.mark.parametrize("snr", [-10.0, 0.0, 7.5])
def test_noise_has_the_power_asked_for(snr: float) -> None:
    samples = np.sin(np.arange(4000) / 7).astype(np.float32) * np.float32(0.1)
    noisy = toy().recording(samples, snr, 5)
    noise = noisy.astype(np.float64) - samples
    assert 10 * np.log10(np.mean(samples.astype(np.float64) ** 2) / np.mean(noise**2)) == pytest.approx(snr, abs=1e-3)
    assert noisy.dtype == np.float32


def test_noise_is_the_same_each_time() -> None:
    samples = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    assert np.array_equal(toy().recording(samples, 0.0, 1), toy().recording(samples, 0.0, 1))
    assert not np.array_equal(toy().recording(samples, 0.0, 1), toy().recording(samples, 0.0, 2))
