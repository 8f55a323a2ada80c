"""Picture, spoken word and written word of a concept in eight languages; each may be missing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gnnfuse.bench.data.clips import Clips, read_clips
from gnnfuse.bench.data.shared_folder import open_folder
from gnnfuse.data.dataset import Dataset
from gnnfuse.data.held_out import HeldOut
from gnnfuse.data.lazy_samples import LazySamples
from gnnfuse.data.table import read_table
from gnnfuse.sample.audio import Audio


def picture_words(root: str | Path | None = None, *, language: str | None = "de") -> Dataset:
    """Which of 22 categories a concept belongs to, from its picture, its spoken and its written word.

    Signals: "image" (uint8 array `[96, 96, 3]`), "audio" (`Audio`, 8 kHz) and "text" (the word in the sample's own
    language); a concept without recording or written word in a language lacks the key. Concepts are disjoint
    between the splits, in all languages alike, so every test word is new. Groups: "language" and "modalities"
    (those present). Samples are made on access.

    Args:
        root: the data folder; None takes it from the environment variable GNNFUSE_DATA.
        language: ca, de, en, es, fr, gd, pt_BR or ro; None takes all. German by default: with French the fullest.

    Raises:
        DataError: the folder `picture_words` is missing or altered.
        ValueError: no sample is in that language.

    Example:
        >>> dataset = picture_words(language="fr")  # doctest: +SKIP
        >>> len(dataset.classes)  # doctest: +SKIP
        22
    """
    folder = open_folder("picture_words", ["images.npz", "audio.npz", "index.csv"], root=root)
    table = read_table(folder / "index.csv")
    languages = sorted({row["lang"] for row in table})
    if language is not None and language not in languages:
        raise ValueError(f"language {language!r}, expected None (all) or one of {', '.join(languages)}")
    rows = {row["sample_id"]: row for row in table if language in (None, row["lang"])}
    with np.load(folder / "images.npz", allow_pickle=False) as arrays:
        pixels = arrays["pixels"]
    clips = read_clips(folder / "audio.npz")

    def split(wanted: str) -> LazySamples:
        ids = tuple(id for id, row in rows.items() if row["split"] == wanted)
        chosen = tuple(rows[id] for id in ids)
        return LazySamples(WordSignals(pixels, clips, chosen), ids, tuple(row["category"] for row in chosen))

    name = f"picture_words_{language or 'all'}"
    return Dataset(
        name=name,
        train=split("train"),
        valid=split("valid"),
        tests={"test": HeldOut(split("test"), name=f"{name} test")},
        target="classification",
        classes=tuple(sorted({row["category"] for row in table})),
        groups={
            "language": {id: row["lang"] for id, row in rows.items()},
            "modalities": {id: "+".join(present(row)) for id, row in rows.items()},
        },
        source="Art4Apps pictures and GCompris voices and words",
        licence="pictures CC BY-SA 3.0; voices CC BY-SA, GPL or public domain, each its own; words GPL-3+",
        caveat="one speaker per language: a difference between languages may be one between speakers",
    )


@dataclass(frozen=True)
class WordSignals:
    """The signals of the samples of one split, made on access.

    Args:
        pixels: `[pictures, height, width, 3]`, uint8.
        clips: all recordings.
        rows: the table's rows of the samples.
    """

    pixels: UInt8[np.ndarray, "pictures height width 3"]
    clips: Clips
    rows: tuple[dict[str, str], ...]

    def __call__(self, index: int) -> dict[str, object]:
        """The signals that one sample has."""
        row = self.rows[index]
        found = present(row)
        signals: dict[str, object] = {}
        if "image" in found:
            signals["image"] = self.pixels[int(row["image_row"])]
        if "audio" in found:
            signals["audio"] = Audio(self.clips[int(row["audio_row"])], self.clips.sample_rate)
        if "text" in found:
            signals["text"] = row["text"]
        return signals


def present(row: dict[str, str]) -> tuple[str, ...]:
    """The modalities that a row of the table has; -1 stands for no picture or no recording."""
    has = {"image": row["image_row"] != "-1", "audio": row["audio_row"] != "-1", "text": bool(row["text"])}
    return tuple(name for name, found in has.items() if found)
