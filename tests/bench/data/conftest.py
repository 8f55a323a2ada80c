"""Tiny data folders in the layout of the real ones."""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Tables = dict[str, list[dict[str, object]]]
Arrays = dict[str, dict[str, np.ndarray]]
WriteFolder = Callable[[str, Tables, Arrays], Path]


@pytest.fixture
def write_folder(tmp_path: Path) -> WriteFolder:
    """Writes one data set (tables, arrays and SHA256SUMS) and returns the data folder."""

    def write(name: str, tables: Tables, arrays: Arrays) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, rows in tables.items():
            with (folder / file).open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        for file, named in arrays.items():
            np.savez(folder / file, **named)  # type: ignore[arg-type]  # numpy's stub takes the names for options
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(folder.iterdir())]
        (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
        return tmp_path

    return write


@pytest.fixture
def tiny_av_digits(write_folder: WriteFolder) -> Path:
    """Two samples per split; picture i is of constant brightness 10 i, recording i is i + 100 samples long."""
    splits = ["train", "train", "valid", "valid", "test", "test", "test_seen", "test_seen"]
    media = [{"split": split, "image_row": i, "audio_row": i} for i, split in enumerate(splits)]
    pairs = [{"pair_id": i, "label": i, "snr_db": 5 - i, "noise_seed": i, **row} for i, row in enumerate(media)]
    asked = {"text": "add", "operation": "sum", "image_digit": 4, "audio_digit": 9, "answer": 13}
    questions = [{"question_id": i, **asked, **row} for i, row in enumerate(media)]
    speakers = [{"audio_row": i, "speaker": "abbccddaa"[i], "take": i} for i in range(8)]
    lengths = np.arange(8) + 100
    samples = np.random.default_rng(0).integers(-9000, 9000, lengths.sum()).astype(np.int16)
    pixels = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None] * 10, (8, 28, 28))
    return write_folder(
        "av_digits",
        {"pairs.csv": pairs, "questions.csv": questions, "recordings.csv": speakers},
        {
            "images.npz": {"pixels": pixels},
            "audio.npz": {
                "samples": samples,
                "offsets": np.concatenate([[0], np.cumsum(lengths)]),
                "sample_rate": np.array(8000),
            },
            "degrade_pca.npz": {"mean": np.full(784, 0.1, np.float32), "components": np.eye(4, 784, dtype=np.float32)},
        },
    )
