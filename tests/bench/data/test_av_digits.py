import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gnnfuse.bench.data import av_digits_pairs, av_digits_questions
from gnnfuse.bench.data.av_digits import snr_band
from gnnfuse.data import Dataset
from gnnfuse.sample.audio import Audio
from gnnfuse.sample.sample import Sample


def arrays(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    audio = sample.signals["audio"]
    assert isinstance(audio, Audio)
    return np.asarray(sample.signals["image"]), np.asarray(audio.samples)


def test_clean_pairs_are_as_stored(tiny_av_digits: Path) -> None:
    data = av_digits_pairs(tiny_av_digits)
    image, audio = arrays(data.train[1])
    assert (str(image.dtype), image.shape, int(image[0, 0]), len(audio)) == ("uint8", (28, 28), 10, 101)
    assert [sample.target for sample in data.valid] == ["2", "3"]
    assert list(data.tests) == ["test", "test_seen"]
    assert [sample.id for sample in data.tests["test_seen"].open("run")] == ["pair-6", "pair-7"]
    assert data.groups["speaker"]["pair-7"] == "a"


def test_hard_pairs_follow_the_formulas(tiny_av_digits: Path) -> None:
    """The toy components keep the first four pixels as they are and set the others to the mean, 0.1."""
    hard, clean = av_digits_pairs(tiny_av_digits, hard=True), av_digits_pairs(tiny_av_digits)
    image, noisy = arrays(hard.valid[1])
    assert image.flatten().tolist() == pytest.approx([30 / 255] * 4 + [0.1] * 780)
    _, samples = arrays(clean.valid[1])
    noise = np.random.default_rng(3).standard_normal(len(samples)).astype(np.float32)
    scale = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (2 / 10))
    assert np.allclose(noisy, samples + scale * noise, atol=1e-5)
    assert hard.groups["snr"]["pair-3"] == "0..5 dB"
    assert hard.name == "av_digits_pairs_hard"


def test_a_sample_is_the_same_at_every_reading_and_after_pickling(tiny_av_digits: Path) -> None:
    train = av_digits_pairs(tiny_av_digits, hard=True).train
    for other in (train[0], pickle.loads(pickle.dumps(train))[0]):
        assert all(np.array_equal(one, two) for one, two in zip(arrays(train[0]), arrays(other), strict=True))


def test_questions_have_a_text(tiny_av_digits: Path) -> None:
    data = av_digits_questions(tiny_av_digits)
    assert (data.train[0].signals["text"], data.train[0].target) == ("add", "13")
    assert data.groups["operation"]["question-0"] == "sum"
    assert not {"operation", "image_digit", "audio_digit"} & data.train[0].signals.keys()


def test_ceilings_of_the_questions(tiny_av_digits: Path) -> None:
    ceilings = av_digits_questions(tiny_av_digits).ceilings
    assert ceilings["text"]["sum"] == pytest.approx(0.1)
    assert ceilings["image+audio+text"]["all"] == 1


@pytest.mark.parametrize(
    ("decibel", "band"), [(-10.0, "-10..-5 dB"), (-0.1, "-5..0 dB"), (0.0, "0..5 dB"), (10.0, "5..10 dB")]
)
def test_bands_of_noise(decibel: float, band: str) -> None:
    assert snr_band(decibel) == band


def sizes(data: Dataset) -> tuple[int, ...]:
    return (len(data.train), len(data.valid), *(len(test) for test in data.tests.values()))


def test_the_real_pairs(shared_data: Path) -> None:
    data = av_digits_pairs(shared_data, hard=True)
    assert sizes(data) == (12000, 2000, 3000, 2000)
    image, audio = arrays(data.train[11999])
    assert image.dtype == audio.dtype == np.float32
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
    speakers = {split: {data.groups["speaker"][str(i)] for i in test.ids} for split, test in data.tests.items()}
    assert speakers == {"test": {"nicolas"}, "test_seen": {"george", "jackson", "lucas"}}


def test_the_real_questions_are_answered_by_the_rules(shared_data: Path) -> None:
    data = av_digits_questions(shared_data)
    assert sizes(data) == (12000, 2000, 3000, 2000)
    operations = Counter(data.groups["operation"].values())
    assert set(operations) == {"sum", "difference", "max", "min", "image", "audio"}
    largest = {
        name: max(int(str(s.target)) for s in data.train if data.groups["operation"][str(s.id)] == name)
        for name in operations
    }
    assert largest == {"sum": 18, "difference": 9, "max": 9, "min": 9, "image": 9, "audio": 9}
