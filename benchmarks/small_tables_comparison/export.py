"""Data sets written as anybody has them: a CSV file, with PNG and WAV files beside it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from gnnfuse.bench.data import av_digits_pairs, mosi_utterances, picture_words
from gnnfuse.data import Dataset
from gnnfuse.sample import Audio, Sample
from small_tables_comparison.tables import SmallTable

FILE = "table.csv"
SEEN = "seen.csv"  # a second test, of speakers that training rows have: in a file of its own


def export(table: SmallTable, work: Path, data: str | None) -> Path:
    """The table's CSV file in `work`, written unless it is there.

    Args:
        table: what to write.
        work: the folder that keeps all tables.
        data: the folder of data sets; GNNFUSE_DATA by default.
    """
    folder = work / "tables" / table.content
    if not (folder / FILE).is_file():
        write(table, dataset_of(table, data), folder)
    return folder / FILE


def dataset_of(table: SmallTable, data: str | None) -> Dataset:
    """The data set that a table is made of."""
    source, _, language = table.source.partition("/")
    if source == "av_digits":
        return av_digits_pairs(data, hard=True)
    if source == "mosi_utterances":
        return mosi_utterances(data)
    return picture_words(data, language=language)


def write(table: SmallTable, dataset: Dataset, folder: Path) -> None:
    """Write the media, the second test and, at last, the table."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = {"train": dataset.train, "valid": dataset.valid}
    splits |= {name: test.open(run="export") for name, test in dataset.tests.items()}
    chosen = {name: first(samples, table.rows.get(name)) for name, samples in splits.items()}
    groups = {} if table.group is None else dataset.groups[table.group]
    if seen := chosen.pop("test_seen", ()):
        write_rows(folder / SEEN, list(cells(table, {"test": seen}, groups, folder)))
    rows = list(cells(table, chosen, groups, folder))
    write_rows(folder / f"{FILE}.unfinished", rows)
    (folder / f"{FILE}.unfinished").rename(folder / FILE)


def first(samples: Sequence[Sample], count: int | None) -> list[Sample]:
    """The first samples of a split, all without a count; the digits are in random order."""
    return [samples[number] for number in range(len(samples) if count is None else min(count, len(samples)))]


def cells(
    table: SmallTable, splits: Mapping[str, Sequence[Sample]], groups: Mapping[str, str], folder: Path
) -> Iterator[dict[str, object]]:
    """The rows of a table; its media are written into `folder`, and what a sample lacks is an empty cell."""
    for split, samples in splits.items():
        for sample in samples:
            name = str(sample.id).replace("/", "_")
            row: dict[str, object] = {"id": sample.id}
            for role, column in table.media.items():
                row[column] = cell(sample.signals.get(role, ""), folder / name)
            if table.numbers:
                row |= dict(zip(table.numbers, np.asarray(sample.signals["audio"])[0].tolist(), strict=True))
            if table.group is not None:
                row[table.group] = groups[str(sample.id)]
            yield row | {table.target: answer(table, sample.target), "split": split}


def cell(signal: object, stem: Path) -> object:
    """A signal as a cell: a text itself, of pictures and recordings the name of the file that is written."""
    if isinstance(signal, Audio):
        path = stem.with_name(f"{stem.name}.wav")
        soundfile.write(path, np.asarray(signal.samples), signal.sample_rate, subtype="FLOAT")  # noise exceeds -1..1
        return path.name
    if isinstance(signal, np.ndarray):
        path = stem.with_name(f"{stem.name}.png")
        pixels = signal if signal.dtype == np.uint8 else np.round(signal * 255).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        return path.name
    return signal


def answer(table: SmallTable, target: object) -> object:
    """The target's cell: the class, or 1 and 0 for what is positive and negative."""
    return float(target == "positive") if table.kind == "regression" else target


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
