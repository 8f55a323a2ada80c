"""Code shared by the two tasks of `av_digits`: media, splits, speakers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gnnfuse.bench.data.clips import Clips, read_clips
from gnnfuse.bench.data.degrade import Degrade
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.lazy_samples import LazySamples
from gnnfuse.data.table import read_table
from gnnfuse.sample.audio import Audio

MEDIA = ("images.npz", "audio.npz", "recordings.csv")
SOURCE = "MNIST (LeCun, Cortes, Burges); Free Spoken Digit Dataset (Jackson and others)"
LICENCE = "pictures CC BY-SA 3.0, recordings CC BY-SA 4.0"
Row = Mapping[str, str]


@dataclass(frozen=True)
class DigitSignals:
    """The signals of the samples of one split, made on access.

    Args:
        pixels: `[samples, height, width]`, uint8.
        clips: all recordings; `audio_row` of a row selects one.
        rows: the table's rows of the samples.
        degrade: how to degrade both media; None gives them as stored.
    """

    pixels: UInt8[np.ndarray, "samples height width"]
    clips: Clips
    rows: tuple[Row, ...]
    degrade: Degrade | None

    def __call__(self, index: int) -> dict[str, object]:
        """The picture, the recording and, if there is one, the question of one sample."""
        row, recording = self.rows[index], self.clips[int(self.rows[index]["audio_row"])]
        picture: np.ndarray = self.pixels[index]
        if self.degrade is not None:
            picture = self.degrade.picture(picture)
            recording = self.degrade.recording(recording, float(row["snr_db"]), int(row["noise_seed"]))
        signals: dict[str, object] = {"image": picture, "audio": Audio(recording, self.clips.sample_rate)}
        return signals | ({"text": row["text"]} if "text" in row else {})


def build(
    folder: Path,
    name: str,
    rows: Mapping[str, Row],
    answers: Mapping[str, str],
    *,
    classes: tuple[str, ...],
    groups: Mapping[str, Mapping[str, str]],
    ceilings: Mapping[str, Mapping[str, float]] | None = None,
    degrade: Degrade | None = None,
) -> Dataset:
    """A data set over the media of the folder.

    Args:
        folder: the folder of `av_digits`, verified.
        name: name of the data set.
        rows: sample id -> its row, with `split`, `image_row` and `audio_row`.
        answers: sample id -> target.
        classes: all class names.
        groups: attributes of samples for reports; the speaker is added.
        ceilings: see `Dataset`.
        degrade: how to degrade both media; None gives them as stored.
    """
    clips = read_clips(folder / "audio.npz")
    with np.load(folder / "images.npz", allow_pickle=False) as arrays:
        pixels = arrays["pixels"]

    def split(wanted: str) -> LazySamples:
        ids = tuple(id for id, row in rows.items() if row["split"] == wanted)
        chosen = tuple(rows[id] for id in ids)
        own = pixels[[int(row["image_row"]) for row in chosen]]
        return LazySamples(DigitSignals(own, clips, chosen, degrade), ids, tuple(answers[id] for id in ids))

    speaker = {row["audio_row"]: row["speaker"] for row in read_table(folder / "recordings.csv")}
    return Dataset(
        name=name,
        train=split("train"),
        valid=split("valid"),
        tests={test: HeldOut(split(test), name=f"{name} {test}") for test in ("test", "test_seen")},
        target="classification",
        classes=classes,
        groups={**groups, "speaker": {id: speaker[row["audio_row"]] for id, row in rows.items()}},
        ceilings=ceilings or {},
        source=SOURCE,
        licence=LICENCE,
    )
