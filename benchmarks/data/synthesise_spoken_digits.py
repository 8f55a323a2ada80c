"""Speak the digits 0 to 9 with many voices of espeak-ng: the recordings that the default task uses.

Run it only to make the two asset files anew; the library reads the files and never calls espeak-ng:

    python benchmarks/data/synthesise_spoken_digits.py --out gnnfuse/data/assets

A voice is an English accent with a variant (`en-us+m3`). Variants whose definition files share more than a
third of their lines (`edward` and `edward2`, but also `aunty`, `belinda` and `linda`) form one family, and a
family is in one split only, so that no test voice is nearly a train voice. Two accents are never heard in
training. Accent, speed and pitch are drawn from a fixed seed; the same version of espeak-ng gives the same
files.
"""

import argparse
import csv
import gzip
import io
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

SAMPLE_RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRAIN_ACCENTS = ("en-gb", "en-us", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-us-nyc")
ALL_ACCENTS = (*TRAIN_ACCENTS, "en-gb-scotland", "en-029")
ACCENTS = {"train": TRAIN_ACCENTS, "valid": ALL_ACCENTS, "test": ALL_ACCENTS}
# Left out: whisper, croak, robot, demonic and the like, which people do not understand either.
VARIANTS = {
    "train": (
        "m1 m3 m4 m6 m8 f1 f4 adam Alex Andy anika antonio aunty belinda edward edward2 Gene Gene2 "
        "grandma gustave Henrique iven iven2 Jacky john klatt klatt2 linda Mario michel Mike quincy "
        "shelby steph steph2 travis"
    ),
    "valid": "m2 f3 benjamin caleb paul pedro robert victor",
    "test": "m5 m7 f5 Alicia Annie boris david Denis Lee Marco marcelo zac",
}
TAKES = 2


@dataclass(frozen=True)
class Utterance:
    """One recording to make."""

    digit: int
    voice: str
    speed: int
    pitch: int
    split: str


def plan(seed: int) -> Iterator[Utterance]:
    """What to record: every variant says every digit, each time with another accent, speed and pitch."""
    generator = np.random.default_rng(seed)
    for split, variants in VARIANTS.items():
        for variant in variants.split():
            for digit in range(10):
                for accent in generator.choice(ACCENTS[split], TAKES, replace=False):
                    speed, pitch = int(generator.integers(140, 251)), int(generator.integers(10, 91))
                    yield Utterance(digit, f"{accent}+{variant}", speed, pitch, split)


def speak(utterance: Utterance) -> np.ndarray:
    """One recording: trimmed, 8 kHz, 16-bit, peak at a quarter of full scale."""
    options = ["-v", utterance.voice, "-s", str(utterance.speed), "-p", str(utterance.pitch), "--stdout"]
    command = ["espeak-ng", *options, WORDS[utterance.digit]]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(spoken), dtype="float32")
    resampled = torchaudio.functional.resample(torch.from_numpy(samples), rate, SAMPLE_RATE).numpy()
    trimmed = trim(resampled)
    return np.asarray(np.round(trimmed / np.abs(trimmed).max() * 8192), dtype=np.int16)


def trim(samples: np.ndarray, *, decibel: float = -35.0, margin: int = 80) -> np.ndarray:
    """The part between the first and the last sample above a level (relative to the peak), with a margin."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (decibel / 20))
    return samples[max(loud[0] - margin, 0) : loud[-1] + 1 + margin]


def write(folder: Path, utterances: list[Utterance], recordings: list[np.ndarray]) -> None:
    """All recordings in one FLAC file, and the table that says where each one is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spoken_digits.flac"
    samples = np.concatenate(recordings)
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16", compression_level=1.0)
    offsets = np.cumsum([0, *map(len, recordings)])
    with (
        gzip.GzipFile(folder / "spoken_digits.csv.gz", "wb", mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["row", "offset", "samples", "digit", "voice", "speed", "pitch", "split"])
        for row, (said, recording) in enumerate(zip(utterances, recordings, strict=True)):
            place = [row, offsets[row], len(recording)]
            table.writerow([*place, said.digit, said.voice, said.speed, said.pitch, said.split])


def main() -> None:
    parser = argparse.ArgumentParser(description="speak the digits with espeak-ng")
    parser.add_argument("--out", type=Path, default=Path("gnnfuse/data/assets"), help="folder for the two files")
    parser.add_argument("--seed", type=int, default=0, help="draws accents, speeds and pitches")
    arguments = parser.parse_args()
    utterances = list(plan(arguments.seed))
    with ThreadPoolExecutor(2) as pool:
        recordings = list(pool.map(speak, utterances))
    write(arguments.out, utterances, recordings)
    seconds = sum(map(len, recordings)) / SAMPLE_RATE
    print(f"{len(recordings)} recordings, {seconds:.0f} s, in {arguments.out}")


if __name__ == "__main__":
    main()
