"""Features that need no weights: oriented gradients and colours of pictures, MFCC of recordings."""

from typing import Any

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from PIL import Image

SIDE, CELLS, ORIENTATIONS, SHADES = 96, 8, 9, 4
SEGMENTS, MFCC = 10, 13
Vector = NDArray[np.float32]


def picture_features(picture: Image.Image) -> Vector:
    """Histograms of oriented gradients over 8 x 8 cells, and one of 4 x 4 x 4 colours.

    Dalal and Triggs, Histograms of Oriented Gradients for Human Detection (2005); cells are normalised in overlapping
    blocks of 2 x 2.
    """
    pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    shade = (pixels / 256 * SHADES).astype(int) @ (SHADES * SHADES, SHADES, 1)
    colours = np.bincount(shade.ravel(), minlength=SHADES**3) / shade.size
    return np.concatenate([oriented_gradients(pixels.mean(2) / 255), np.sqrt(colours)]).astype(np.float32)


def oriented_gradients(grey: NDArray[np.float32]) -> Vector:
    """The histograms of one picture, block by block."""
    down, right = np.gradient(grey)
    angle = np.arctan2(down, right) % np.pi / np.pi * ORIENTATIONS
    strength, low = np.hypot(down, right), np.floor(angle).astype(int)
    cell = np.arange(SIDE) * CELLS // SIDE
    bins = (cell[:, None] * CELLS + cell) * ORIENTATIONS
    histograms = np.zeros(CELLS * CELLS * ORIENTATIONS)
    for orientation, share in ((low, 1 - (angle - low)), (low + 1, angle - low)):
        np.add.at(histograms, bins + orientation % ORIENTATIONS, strength * share)
    grid = histograms.reshape(CELLS, CELLS, ORIENTATIONS)
    blocks = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]], 2).reshape((CELLS - 1) ** 2, -1)
    return np.asarray(blocks / np.sqrt((blocks**2).sum(1, keepdims=True) + 1e-4), dtype=np.float32).ravel()


def sound_features(samples: Vector, sample_rate: int) -> Vector:
    """Means and deviations of MFCC over ten segments, and how long the recording is."""
    mfcc: Any = torchaudio.transforms.MFCC(
        sample_rate, n_mfcc=MFCC, melkwargs={"n_fft": 256, "hop_length": 80, "n_mels": 40}
    )
    frames = mfcc(torch.as_tensor(samples)[None])[0].numpy().T
    parts = [part for part in np.array_split(frames, SEGMENTS) if len(part)]
    parts += [frames] * (SEGMENTS - len(parts))  # of recordings below a tenth of a second
    means = np.concatenate([[part.mean(0), part.std(0)] for part in parts]).ravel()
    return np.append(means, np.log(len(samples) / sample_rate)).astype(np.float32)
