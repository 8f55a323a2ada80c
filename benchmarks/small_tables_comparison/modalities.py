"""What a classical model reads of each modality: a matrix with a row per row of the table, or texts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from small_tables_comparison.raw_features import picture_features, sound_features
from small_tables_comparison.rows import Mask, Rows

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Modality:
    """One modality of all rows.

    Args:
        values: `[rows, width]`, or the rows' texts; whatever for rows without it.
        present: which rows have it.
    """

    values: Matrix | list[str]
    present: Mask


def modalities(rows: Rows, models: Path | None, kept: Path) -> dict[str, Modality]:
    """Name -> modality. Features are computed once and kept.

    Args:
        rows: the table.
        models: the folder of encoders, for tables that are read by them.
        kept: the folder that keeps features.
    """
    return {name: modality(rows, name, models, kept) for name in rows.table.modalities}


def modality(rows: Rows, name: str, models: Path | None, kept: Path) -> Modality:
    """One modality, computed or read."""
    table = rows.table
    if name == "numbers":
        values = np.array([rows.cells[column] for column in table.numbers], dtype=np.float32).T
        return Modality(values, np.ones(len(values), dtype=bool))
    found = rows.cells[table.media[name]]
    present = np.array([bool(cell) for cell in found])
    encoder = table.encoders(models).get(name)
    if name == "text" and encoder is None:
        return Modality(found, present)
    path = kept / f"{table.content}-{name}-{'raw' if encoder is None else encoder.name}.npy"
    if not path.is_file():
        features = of_files([cell for cell in found if cell], name, encoder, rows.folder)
        values = np.zeros((len(found), features.shape[1]), dtype=np.float32)
        values[present] = features
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values)
    return Modality(np.load(path), present)


def of_files(cells: list[str], name: str, encoder: Path | None, folder: Path) -> Matrix:
    """The features of files or texts."""
    if name == "audio":
        return np.stack([sound_features(*soundfile.read(folder / cell, dtype="float32")) for cell in cells])
    if encoder is None:
        return np.stack([picture_features(Image.open(folder / cell)) for cell in cells])
    from small_tables_comparison.encoder_states import picture_states, text_states

    if name == "text":
        return text_states(cells, encoder)
    return picture_states([Image.open(folder / cell) for cell in cells], encoder)
