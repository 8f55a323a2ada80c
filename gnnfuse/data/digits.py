"""The default task: a question in English about a handwritten digit and a spoken digit."""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np
from torch import Tensor

from gnnfuse.data.ceilings import Outcome, ceilings
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.digit_media import SPLITS, SpokenDigit, pictures, recordings
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.operations import OPERATIONS, Operation
from gnnfuse.sample.sample import Sample

Item = TypeVar("Item")

CLASSES = (*map(str, range(19)), "no", "yes")


def digits(*, seed: int = 0, train: int = 6000, valid: int = 1000, test: int = 2000) -> Dataset:
    """Questions about a picture and a recording; most cannot be answered from two of the three modalities.

    Signals: "image" (a handwritten digit, uint8 `[8, 8]`), "audio" (a spoken digit, `Audio` at 8 kHz) and "text" (the
    question, in one of ten wordings). The target is the answer: "0" to "18", "no" or "yes". The two digits are
    uniform, and independent except in two yes-or-no questions, where dependence balances the answers. Six in ten
    questions need all three modalities (sum, difference, larger, smaller, spoken_larger, same, sum_even), the others
    the text and one of the two digits. No picture or voice is in two splits, and `ceilings` gives the best accuracy of
    each subset of the modalities. Needs no download; samples share their pictures and recordings in memory.

    Args:
        seed: draws the questions; the split of pictures and voices is fixed.
        train: number of samples to learn from.
        valid: number of samples to choose settings with.
        test: number of sealed test samples.

    Raises:
        ValueError: a number of samples is below one.

    Example:
        >>> dataset = digits(train=100, valid=10, test=10)
        >>> sample = dataset.train[0]
        >>> sorted(sample.signals), sample.target in dataset.classes
        (['audio', 'image', 'text'], True)
        >>> f"{dataset.ceilings['text']['all']:.3f} {dataset.ceilings['image+audio']['all']:.3f}"
        '0.294 0.325'
    """
    sizes = dict(zip(SPLITS, (train, valid, test), strict=True))
    for split, size in sizes.items():
        if size < 1:
            raise ValueError(f"{split} must be at least 1 sample, found {size}")
    seen, heard = pictures(), recordings()
    streams = np.random.default_rng(seed).spawn(len(SPLITS))
    drawn = {
        split: draw(split, sizes[split], seen[split], heard[split], stream)
        for split, stream in zip(SPLITS, streams, strict=True)
    }
    about = {name: dict(ChainMap(*(part.groups[name] for part in drawn.values()))) for name in drawn["train"].groups}
    return Dataset(
        name="digits",
        train=drawn["train"].samples,
        valid=drawn["valid"].samples,
        tests={"test": HeldOut(drawn["test"].samples, name="digits test")},
        target="classification",
        classes=CLASSES,
        groups=about,
        ceilings=ceilings([outcome(question) for question in questions()]),
        source="sklearn.datasets.load_digits (Alpaydin and Kaynak, 1998); words spoken by espeak-ng 1.51",
        licence="pictures: UCI Machine Learning Repository; recordings and questions: as gnnfuse",
    )


@dataclass(frozen=True)
class Question:
    """One operation on one pair of digits, with its exact probability."""

    operation: Operation
    image: int
    audio: int
    probability: Fraction

    @property
    def answer(self) -> str:
        """The right answer."""
        return self.operation.answer(self.image, self.audio)


def questions() -> list[Question]:
    """All questions of the task: every operation with every possible pair of digits."""
    total = sum(operation.share for operation in OPERATIONS)
    return [
        Question(operation, image, audio, probability * operation.share / total)
        for operation in OPERATIONS
        for (image, audio), probability in operation.pairs().items()
    ]


def outcome(question: Question) -> Outcome:
    """The outcome of a question: what each modality reveals if read perfectly."""
    known = {"image": question.image, "audio": question.audio, "text": question.operation.name}
    return Outcome(question.probability, known, question.answer, question.operation.name)


@dataclass(frozen=True)
class DrawnSamples:
    """The samples of one split, and what is known about each apart from its signals."""

    samples: list[Sample] = field(default_factory=list)
    groups: dict[str, dict[str, str]] = field(default_factory=lambda: {"operation": {}, "needs": {}, "voice": {}})


def draw(
    split: str,
    size: int,
    seen: Sequence[Sequence[Tensor]],
    heard: Sequence[Sequence[SpokenDigit]],
    generator: np.random.Generator,
) -> DrawnSamples:
    """Draw the samples of one split: the question by its probability, then picture, recording and wording uniformly."""
    possible = questions()
    probability = np.array([float(question.probability) for question in possible])
    chosen = generator.choice(len(possible), size, p=probability / probability.sum())
    drawn = DrawnSamples()
    for number, (which, evenly) in enumerate(zip(chosen, generator.random((size, 3)), strict=True)):
        question, name = possible[which], f"{split}-{number}"
        recording = pick(heard[question.audio], evenly[0])
        image, text = pick(seen[question.image], evenly[1]), pick(question.operation.wordings, evenly[2])
        signals = {"image": image, "audio": recording.audio, "text": text}
        drawn.samples.append(Sample(signals, target=question.answer, id=name))
        drawn.groups["operation"][name] = question.operation.name
        drawn.groups["needs"][name] = question.operation.needs
        drawn.groups["voice"][name] = recording.voice
    return drawn


def pick(items: Sequence[Item], uniform: float) -> Item:
    """The item at a position in 0..1, so that one random number draws uniformly from any number of items."""
    return items[int(uniform * len(items))]
