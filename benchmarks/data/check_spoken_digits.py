"""How well a linear model tells the shipped spoken digits apart, on voices it has not heard.

    python benchmarks/data/check_spoken_digits.py

Logistic regression on 13 mel cepstral coefficients, averaged over each of 8 equal parts of the recording.
Written for one purpose: to see that the recordings can be learned, and that new voices are harder than known
ones.
"""

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np
import soundfile
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torchaudio.transforms import MFCC


def features(recordings: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """`[recordings, 8 * 13]`: mean coefficients of the 8 parts of each recording."""
    options = {"n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 24}
    coefficients = MFCC(sample_rate=sample_rate, n_mfcc=13, melkwargs=options)
    frames = [coefficients(torch.from_numpy(recording)).numpy() for recording in recordings]
    parts = [[part.mean(axis=1) for part in np.array_split(frame, 8, axis=1)] for frame in frames]
    return np.asarray(parts).reshape(len(recordings), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how well the spoken digits can be told apart")
    parser.add_argument("--folder", type=Path, default=Path("gnnfuse/data/assets"), help="folder of the two files")
    folder = parser.parse_args().folder
    samples, sample_rate = soundfile.read(folder / "spoken_digits.flac", dtype="float32")
    with gzip.open(folder / "spoken_digits.csv.gz", "rt", newline="") as file:
        table = list(csv.DictReader(file))
    places = [(int(row["offset"]), int(row["samples"])) for row in table]
    values = features([samples[start : start + length] for start, length in places], sample_rate)
    digit = np.array([int(row["digit"]) for row in table])
    split = np.array([row["split"] for row in table])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(values[split == "train"], digit[split == "train"])
    right = model.predict(values) == digit
    seconds = np.array([length for _, length in places]) / sample_rate
    print(f"{len(table)} recordings, median {np.median(seconds):.2f} s, longest {seconds.max():.2f} s")
    for name in ("train", "valid", "test"):
        print(f"{name:5} {right[split == name].mean():.3f} of {(split == name).sum()}")


if __name__ == "__main__":
    main()
