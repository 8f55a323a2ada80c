from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from gnnfuse.data import Dataset, digits
from gnnfuse.data.digit_media import pictures, recordings
from gnnfuse.sample.audio import Audio
from gnnfuse.sample.sample import Sample


@cache
def dataset() -> Dataset:
    return digits(seed=0, train=3000, valid=300, test=300)


@cache
def digit_of_media() -> tuple[dict[bytes, int], dict[bytes, int]]:
    """Contents of every picture and recording -> its digit."""
    seen = {bytes(p.numpy()): d for by_digit in pictures().values() for d, ps in enumerate(by_digit) for p in ps}
    heard = {
        bytes(np.asarray(r.audio.samples)): d
        for by_digit in recordings().values()
        for d, rs in enumerate(by_digit)
        for r in rs
    }
    return seen, heard


def read(sample: Sample) -> tuple[int, int]:
    image, audio = sample.signals["image"], sample.signals["audio"]
    assert isinstance(image, torch.Tensor)
    assert isinstance(audio, Audio)
    seen, heard = digit_of_media()
    return seen[bytes(image.numpy())], heard[bytes(np.asarray(audio.samples))]


def oracle(operation: str, image: int, audio: int) -> object:
    low, high = sorted((image, audio))
    right: dict[str, object] = {
        "sum": image + audio,
        "difference": high - low,
        "larger": high,
        "smaller": low,
        "spoken_larger": image < audio,
        "same": high - low == 0,
        "sum_even": image & 1 == audio & 1,
        "handwritten": image,
        "spoken": audio,
        "handwritten_even": image in (0, 2, 4, 6, 8),
        "spoken_even": audio in (0, 2, 4, 6, 8),
    }
    return right[operation]


def test_every_answer_is_right() -> None:
    data = dataset()
    for sample in (*data.train, *data.valid, *data.tests["test"].open("answers")):
        answer = oracle(data.groups["operation"][str(sample.id)], *read(sample))
        expected = {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)
        assert sample.target == expected, sample.id


def test_the_words_belong_to_the_operation() -> None:
    data = dataset()
    asked: dict[object, set[str]] = {}
    for sample in data.train:
        asked.setdefault(sample.signals["text"], set()).add(data.groups["operation"][str(sample.id)])
    assert len(asked) == 110
    assert all(len(operations) == 1 for operations in asked.values())


def test_no_picture_and_no_recording_is_in_two_splits() -> None:
    data = digits(seed=3, train=500, valid=300, test=300)
    splits = (data.train, data.valid, data.tests["test"].open("disjoint"))
    for signal in ("image", "audio"):
        contents = [
            {
                bytes(np.asarray(value.samples if isinstance(value, Audio) else value))
                for value in (sample.signals[signal] for sample in split)
            }
            for split in splits
        ]
        assert len(set.union(*contents)) == sum(map(len, contents))
    voices: dict[str, set[str]] = {}
    for name, voice in data.groups["voice"].items():
        voices.setdefault(name.split("-")[0], set()).add(voice.split("+")[1])
    assert len(set.union(*voices.values())) == sum(map(len, voices.values()))


def test_digits_are_uniform_and_independent() -> None:
    """Chi-squared over the 100 pairs (99 degrees of freedom), without the two questions that tie the digits."""
    data = dataset()
    tied = ("same", "spoken_larger")
    pairs = [read(sample) for sample in data.train if data.groups["operation"][str(sample.id)] not in tied]
    counts = np.bincount([10 * image + audio for image, audio in pairs], minlength=100)
    expected = len(pairs) / 100
    assert float(((counts - expected) ** 2 / expected).sum()) < 150  # p < 0.001 above 149


def test_operations_come_as_often_as_planned() -> None:
    data = dataset()
    counts = Counter(data.groups["operation"][str(sample.id)] for sample in data.train)
    assert len(counts) == 11
    three = sum(data.groups["needs"][str(sample.id)] == "image+audio+text" for sample in data.train)
    assert abs(three / 3000 - 0.6) < 0.04
    assert all(abs(count / 3000 - 0.09) < 0.045 for count in counts.values())


def test_yes_and_no_are_balanced() -> None:
    answers = Counter(sample.target for sample in dataset().train)
    assert abs(answers["yes"] / (answers["yes"] + answers["no"]) - 0.5) < 0.05


def test_the_seed_decides() -> None:
    def told(seed: int) -> list[tuple[object, ...]]:
        data = digits(seed=seed, train=50, valid=5, test=5)
        return [(sample.id, sample.target, sample.signals["text"], *read(sample)) for sample in data.train]

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_the_size_of_one_split_does_not_change_another() -> None:
    small, large = digits(train=10, valid=20, test=5), digits(train=30, valid=20, test=5)
    for one, other in zip(small.valid, large.valid, strict=True):
        assert (one.target, one.signals["text"]) == (other.target, other.signals["text"])


def test_samples_share_their_media() -> None:
    assert len({id(sample.signals["audio"]) for sample in dataset().train}) <= 720


def test_ceilings_by_hand() -> None:
    """With text and one digit, the numbers worked out by counting on fingers."""
    ceilings = dataset().ceilings
    assert len(ceilings) == 7
    assert ceilings["image+audio+text"]["all"] == 1
    assert ceilings["text"]["sum"] == pytest.approx(10 / 100)  # nine: ten of the hundred pairs
    assert ceilings["text"]["difference"] == pytest.approx(18 / 100)  # one
    assert ceilings["text"]["larger"] == pytest.approx(19 / 100)  # nine
    assert ceilings["text"]["spoken_larger"] == pytest.approx(0.5)
    assert ceilings["image+text"]["handwritten"] == 1
    assert ceilings["image+text"]["spoken"] == pytest.approx(0.1)
    assert ceilings["image+text"]["sum_even"] == pytest.approx(0.5)
    assert ceilings["image+text"]["larger"] == pytest.approx(sum(range(1, 11)) / 100)  # the digit seen
    assert ceilings["image+text"]["all"] == pytest.approx(ceilings["audio+text"]["all"])


def test_a_single_modality_is_far_from_enough() -> None:
    ceilings = dataset().ceilings
    assert ceilings["text"]["all"] < 0.35
    assert max(ceilings[subset]["all"] for subset in ("image", "audio", "image+audio")) < 0.35
    assert max(ceilings[subset]["all"] for subset in ("image+text", "audio+text")) < 0.55


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_an_empty_split_is_refused(split: str) -> None:
    with pytest.raises(ValueError, match=f"{split} must be at least 1 sample, found 0"):
        digits(**{split: 0})
