"""What `gnnfuse fit` makes of a table of a thousand rows: a picture, a recording, a word, and a category to tell.

One language of `picture_words` is written out as anybody would have it, a CSV file with PNG and WAV files beside it,
and the command is run on it at its defaults, once per seed. Reported are the test rows' accuracy and macro F1 and how
long the command took from start to end, beside the classical late fusion of the data's README.

    python benchmarks/words_table.py --data DIR --out benchmarks/results/words-table-cpu.json
    python benchmarks/words_table.py --data DIR --export FOLDER     # the table alone
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from rich.console import Console
from rich.table import Table

from gnnfuse.bench.data import picture_words
from gnnfuse.data import Dataset
from gnnfuse.sample import Audio
from layer_timing.environment import environment

# Test accuracy of logistic regressions on HOG and colour, MFCC and characters, summed: the README of the data.
LATE_FUSION = {"fr": 0.322, "de": 0.337, "en": 0.305, "es": 0.241, "ro": 0.305, "gd": 0.340, "pt_BR": 0.424}


def export(dataset: Dataset, folder: Path) -> Path:
    """Write a data set's samples as a table with files; empty cells where a sample lacks a signal."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "words.csv"
    splits = {"train": dataset.train, "valid": dataset.valid, "test": dataset.tests["test"].open(run="export")}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "photo", "clip", "word", "category", "split"])
        for split, samples in splits.items():
            for sample in samples:
                name = str(sample.id).replace("/", "_")
                photo = clip = ""
                if "image" in sample.signals:
                    pixels, photo = sample.signals["image"], f"{name}.png"
                    assert isinstance(pixels, np.ndarray), "picture_words says so"
                    Image.fromarray(pixels).save(folder / photo)
                if "audio" in sample.signals:
                    audio, clip = sample.signals["audio"], f"{name}.wav"
                    assert isinstance(audio, Audio), "picture_words says so"
                    soundfile.write(folder / clip, audio.samples, audio.sample_rate)
                writer.writerow([sample.id, photo, clip, sample.signals.get("text", ""), sample.target, split])
    return path


def fit(table: Path, out: Path, seed: int) -> dict[str, Any]:
    """Run the command; what it found on the test rows, and its seconds."""
    command = [sys.executable, "-m", "gnnfuse", "fit", str(table), "--out", str(out), "--seed", str(seed)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {"seed": seed, "seconds": round(seconds, 1), "metrics": results["metrics"]}


def main() -> None:
    """Export, fit once per seed, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with picture_words; GNNFUSE_DATA by default")
    parser.add_argument("--language", default="de", help="its language")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the table there and fit nothing")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    arguments = parser.parse_args()
    dataset = picture_words(arguments.data, language=arguments.language)
    if arguments.export is not None:
        print(export(dataset, arguments.export))
        return
    found = environment("cpu")
    with tempfile.TemporaryDirectory() as folder:
        table = export(dataset, Path(folder) / "table")
        rows = []
        for seed in arguments.seeds:
            rows.append(fit(table, Path(folder) / f"model{seed}", seed))
            print(json.dumps(rows[-1]), flush=True)
    accuracies = [row["metrics"]["test"]["accuracy"] for row in rows]
    result = {
        "environment": found,
        "language": arguments.language,
        "late_fusion_test_accuracy": LATE_FUSION.get(arguments.language),
        "mean_test_accuracy": round(statistics.mean(accuracies), 4),
        "longest_seconds": max(row["seconds"] for row in rows),
        "runs": rows,
    }
    shown = Table("seed", "valid accuracy", "test accuracy", "test macro F1", "seconds")
    for row in rows:
        valid, test = row["metrics"]["valid"], row["metrics"]["test"]
        shown.add_row(
            *(str(row["seed"]), f"{valid['accuracy']:.3f}", f"{test['accuracy']:.3f}"),
            *(f"{test['macro_f1']:.3f}", f"{row['seconds']:.0f}"),
        )
    Console().print(shown)
    print(f"mean {result['mean_test_accuracy']}, late fusion {result['late_fusion_test_accuracy']}")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
