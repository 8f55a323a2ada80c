"""Many recordings in one array, as the data folders store them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Int16


@dataclass(frozen=True)
class Clips:
    """Recordings one after the other.

    Args:
        samples: `[frames]`, 16-bit.
        offsets: `[clips + 1]`; recording i is `samples[offsets[i]:offsets[i + 1]]`.
        sample_rate: in Hz.

    Example:
        >>> clips = Clips(np.array([0, 16384, -32768], dtype=np.int16), np.array([0, 1, 3]), 8000)
        >>> clips[1].tolist()
        [0.5, -1.0]
    """

    samples: Int16[np.ndarray, "frames"]
    offsets: Int[np.ndarray, "clips_plus_one"]
    sample_rate: int

    def __getitem__(self, clip: int) -> Float[np.ndarray, "clip_frames"]:
        """One recording, float32 in -1..1."""
        return self.samples[self.offsets[clip] : self.offsets[clip + 1]].astype(np.float32) / np.float32(32768)


def read_clips(path: Path) -> Clips:
    """The recordings in an `.npz` file with `samples`, `offsets` and `sample_rate`."""
    with np.load(path, allow_pickle=False) as arrays:
        return Clips(arrays["samples"], arrays["offsets"], int(arrays["sample_rate"]))
