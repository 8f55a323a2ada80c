"""Real handwritten and spoken digits: the same digit twice (pairs), or two digits and a question (questions)."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from gnnfuse.bench.data.av_digits_build import MEDIA, build
from gnnfuse.bench.data.degrade import read_degrade
from gnnfuse.bench.data.shared_folder import open_folder
from gnnfuse.data.ceilings import Outcome, ceilings
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.table import read_table

QUESTIONS: Mapping[str, Callable[[int, int], int]] = {
    "sum": lambda image, audio: image + audio,
    "difference": lambda image, audio: abs(image - audio),
    "max": max,
    "min": min,
    "image": lambda image, audio: image,
    "audio": lambda image, audio: audio,
}


def av_digits_pairs(root: str | Path | None = None, *, hard: bool = False) -> Dataset:
    """A picture and a recording of the same digit, in the manner of AV-MNIST.

    Signals: "image" (uint8 `[28, 28]`; in the hard setting float32 in 0..1) and "audio" (`Audio`, 8 kHz). 12,000
    samples for train, 2,000 for valid, 3,000 for "test", 2,000 for "test_seen". The speakers of train, valid and
    "test" are disjoint; "test_seen" has other takes of the train speakers, so always report the two tests apart.
    Group: "speaker", and in the hard setting "snr". Samples are made when read.

    Report the hard setting: as stored, the picture alone nearly solves the task. In the hard setting the picture is
    projected on four principal components, and the recording gets white noise at -10 to 10 dB, the same noise at every
    reading; it may leave -1..1.

    Args:
        root: the data folder; None takes it from the environment variable GNNFUSE_DATA.
        hard: degrade both media instead of giving them as stored.

    Raises:
        DataError: the folder `av_digits` is missing or altered.

    Example:
        >>> dataset = av_digits_pairs(hard=True)  # doctest: +SKIP
        >>> sorted(dataset.train[0].signals)  # doctest: +SKIP
        ['audio', 'image']
    """
    files = [*MEDIA, "pairs.csv", *(["degrade_pca.npz"] if hard else [])]
    folder = open_folder("av_digits", files, root=root)
    rows = {f"pair-{row['pair_id']}": row for row in read_table(folder / "pairs.csv")}
    return build(
        folder,
        "av_digits_pairs_hard" if hard else "av_digits_pairs",
        rows,
        {id: row["label"] for id, row in rows.items()},
        classes=tuple(map(str, range(10))),
        groups={"snr": {id: snr_band(float(row["snr_db"])) for id, row in rows.items()}} if hard else {},
        degrade=read_degrade(folder / "degrade_pca.npz") if hard else None,
    )


def av_digits_questions(root: str | Path | None = None) -> Dataset:
    """A picture and a recording of independent digits, and a question about them in English.

    Signals: "image" (uint8 `[28, 28]`), "audio" (`Audio`, 8 kHz) and "text". The answer is a number from 0 to 18.
    Sizes and splits as in `av_digits_pairs`. Groups: "operation" (sum, difference, max, min, image, audio) and
    "speaker". The ceilings are exact for uniform digits and operations; in the files, whose pictures follow
    MNIST's own frequencies, they differ by a few hundredths.

    Args:
        root: the data folder; None takes it from the environment variable GNNFUSE_DATA.

    Raises:
        DataError: the folder `av_digits` is missing or altered.

    Example:
        >>> dataset = av_digits_questions()  # doctest: +SKIP
        >>> list(dataset.tests)  # doctest: +SKIP
        ['test', 'test_seen']
    """
    folder = open_folder("av_digits", [*MEDIA, "questions.csv"], root=root)
    rows = {f"question-{row['question_id']}": row for row in read_table(folder / "questions.csv")}
    outcomes = [
        Outcome(Fraction(1, 600), {"image": image, "audio": audio, "text": name}, str(answer(image, audio)), name)
        for name, answer in QUESTIONS.items()
        for image in range(10)
        for audio in range(10)
    ]
    return build(
        folder,
        "av_digits_questions",
        rows,
        {id: row["answer"] for id, row in rows.items()},
        classes=tuple(map(str, range(19))),
        groups={"operation": {id: row["operation"] for id, row in rows.items()}},
        ceilings=ceilings(outcomes),
    )


def snr_band(decibel: float) -> str:
    """The band of five decibel that a signal-to-noise ratio lies in, such as "-5..0 dB"."""
    low = min(int(decibel // 5) * 5, 5)
    return f"{low}..{low + 5} dB"
