from pathlib import Path

import numpy as np

from gnnfuse.bench.data.clips import read_clips


def test_clips_are_cut_and_scaled(tmp_path: Path) -> None:
    samples, offsets = np.array([-32768, 0, 16384], dtype=np.int16), np.array([0, 2, 3])
    np.savez(tmp_path / "a.npz", samples=samples, offsets=offsets, sample_rate=np.array(8000))
    clips = read_clips(tmp_path / "a.npz")
    assert (clips[0].tolist(), clips[1].tolist(), clips.sample_rate) == ([-1.0, 0.0], [0.5], 8000)
    assert clips[0].dtype == np.float32
