from pathlib import Path

import torch
from torch import Tensor

import gnnfuse
from gnnfuse.data.digit_media import ASSETS, SPLITS, pictures, recordings
from gnnfuse.data.table import read_table


def test_pictures_are_disjoint_and_stratified() -> None:
    seen = pictures()
    flat = {split: [picture for digit in seen[split] for picture in digit] for split in SPLITS}
    assert sum(map(len, flat.values())) == 1797
    assert len({tuple(picture.flatten().tolist()) for split in SPLITS for picture in flat[split]}) == 1797
    for digit in range(10):
        total = sum(len(seen[split][digit]) for split in SPLITS)
        assert abs(len(seen["train"][digit]) - 0.6 * total) <= 1
        assert abs(len(seen["test"][digit]) - 0.25 * total) <= 1


def test_pictures_use_the_whole_range() -> None:
    every: Tensor = torch.stack([picture for digit in pictures()["train"] for picture in digit])
    assert (every.dtype, every.shape[1:], int(every.min()), int(every.max())) == (torch.uint8, (8, 8), 0, 255)


def test_no_voice_is_in_two_splits() -> None:
    rows = read_table(ASSETS / "spoken_digits.csv.gz")
    variants = {split: {row["voice"].split("+")[1] for row in rows if row["split"] == split} for split in SPLITS}
    assert {split: len(found) for split, found in variants.items()} == {"train": 36, "valid": 8, "test": 12}
    assert len(set().union(*variants.values())) == 56


def test_every_digit_is_spoken_equally_often() -> None:
    heard = recordings()
    assert {split: {len(digit) for digit in heard[split]} for split in SPLITS} == {
        "train": {72},
        "valid": {16},
        "test": {24},
    }


def test_recordings_are_short_mono_and_within_scale() -> None:
    spoken = [recording.audio for split in recordings().values() for digit in split for recording in digit]
    waves = [torch.as_tensor(audio.samples) for audio in spoken]
    assert {audio.sample_rate for audio in spoken} == {8000}
    assert {(wave.ndim, wave.dtype) for wave in waves} == {(1, torch.float32)}
    assert max(float(wave.abs().max()) for wave in waves) <= 0.25
    assert min(float(wave.abs().max()) for wave in waves) >= 0.24
    lengths = torch.tensor([len(wave) / 8000 for wave in waves])
    assert 0.1 < float(lengths.min()) < float(lengths.median()) < 0.6
    assert float(lengths.max()) < 1.2


def test_a_recording_owns_its_memory() -> None:
    """A view into all recordings would be pickled with all of them."""
    wave = torch.as_tensor(recordings()["train"][0][0].audio.samples)
    assert wave.untyped_storage().nbytes() == 4 * len(wave)


def test_the_package_stays_small() -> None:
    folder = Path(gnnfuse.__file__).parent
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= 6_500_000
