"""The hard setting of `av_digits_pairs`, after AV-MNIST: blurred pictures and noisy recordings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Degrade:
    """Removes most of the information from pictures and recordings, the same way each time.

    AV-MNIST (Vielzeuf et al. 2018, https://arxiv.org/abs/1808.07275) removes energy from pictures by principal
    components and adds noise to recordings; this noise is white, theirs is recorded.

    Args:
        mean: `[pixels]`, of the train pictures in 0..1.
        components: `[4, pixels]`, orthonormal rows.

    Example:
        >>> degrade = Degrade(np.zeros(4, np.float32), np.eye(4, dtype=np.float32)[:1])
        >>> degrade.picture(np.full((2, 2), 255, np.uint8)).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """

    mean: Float[np.ndarray, "pixels"]
    components: Float[np.ndarray, "components pixels"]

    def picture(self, pixels: UInt8[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        """Project on the components, C^T C (x - mean) + mean, clipped to 0..1."""
        centred = pixels.reshape(-1).astype(np.float32) / 255 - self.mean
        kept = self.mean + (self.components @ centred) @ self.components
        return np.asarray(np.clip(kept, 0, 1), dtype=np.float32).reshape(pixels.shape)

    def recording(self, samples: Float[np.ndarray, "frames"], snr: float, seed: int) -> Float[np.ndarray, "frames"]:
        """Add white Gaussian noise; the mean powers of signal and noise have a ratio of `snr` decibel."""
        noise = np.random.default_rng(seed).standard_normal(len(samples)).astype(np.float32)
        power, noise_power = (np.mean(np.square(wave, dtype=np.float64)) for wave in (samples, noise))
        scale = np.sqrt(power / (noise_power * 10 ** (snr / 10)))
        return np.asarray(samples + noise * np.float32(scale), dtype=np.float32)


def read_degrade(path: Path) -> Degrade:
    """The components in an `.npz` file with `mean` and `components`."""
    with np.load(path, allow_pickle=False) as arrays:
        return Degrade(arrays["mean"].astype(np.float32), arrays["components"].astype(np.float32))
