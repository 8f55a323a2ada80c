"""The pictures and recordings of the default task: handwritten and spoken digits, each in one split only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gnnfuse.data.table import read_table
from gnnfuse.sample.audio import Audio

ASSETS = Path(__file__).parent / "assets"
SPLITS = ("train", "valid", "test")
TRAIN_SHARE, VALID_SHARE = 0.6, 0.15


@dataclass(frozen=True)
class SpokenDigit:
    """A spoken digit and its voice."""

    audio: Audio
    voice: str


def pictures() -> Mapping[str, tuple[tuple[Tensor, ...], ...]]:
    """Handwritten digits: split -> for each digit 0 to 9 its pictures, uint8 `[8, 8]` in 0..255.

    The 1,797 pictures of `sklearn.datasets.load_digits` (Alpaydin and Kaynak, 1998). For every digit the first 60% are
    train, the next 15% valid and the rest test: the file is ordered by writer, so a split in file order has mostly new
    writers in the test pictures, unlike a shuffled one.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    scaled = torch.from_numpy(np.round(bunch.images * (255 / 16)).astype(np.uint8))
    found: dict[str, list[tuple[Tensor, ...]]] = {split: [] for split in SPLITS}
    for digit in range(10):
        rows = np.flatnonzero(bunch.target == digit)
        ends = [round(len(rows) * TRAIN_SHARE), round(len(rows) * (TRAIN_SHARE + VALID_SHARE))]
        for split, part in zip(SPLITS, np.split(rows, ends), strict=True):
            found[split].append(tuple(scaled[row].clone() for row in part))
    return {split: tuple(by_digit) for split, by_digit in found.items()}


def recordings() -> Mapping[str, tuple[tuple[SpokenDigit, ...], ...]]:
    """Spoken digits: split -> for each digit 0 to 9 its recordings, float32 in -1..1 at 8 kHz.

    1,120 recordings of 56 synthetic voices, included in the package (made as described in `benchmarks/data/README.md`);
    no voice is in two splits.
    """
    import soundfile

    samples, sample_rate = soundfile.read(ASSETS / "spoken_digits.flac", dtype="float32")
    found: dict[str, list[list[SpokenDigit]]] = {split: [[] for _ in range(10)] for split in SPLITS}
    for row in read_table(ASSETS / "spoken_digits.csv.gz"):
        start = int(row["offset"])
        # A copy: pickling a view would include all recordings.
        spoken = torch.from_numpy(samples[start : start + int(row["samples"])].copy())
        found[row["split"]][int(row["digit"])].append(SpokenDigit(Audio(spoken, sample_rate), row["voice"]))
    return {split: tuple(map(tuple, by_digit)) for split, by_digit in found.items()}
