"""Defaults of fitting on a table, for the function and the command; imports nothing large."""

from typing import Literal

Kind = Literal["classification", "multilabel", "regression"]  # of a target
Preset = Literal["fast", "good", "best"]  # of members
PRESET: Preset = "good"
FRACTIONS = (0.7, 0.15, 0.15)
MODEL = "graph"
DIM = 96
DEPTH = 3
COMPONENTS = 64  # whitened, of the features of frozen encoders, for small tables
SMALL = 20_000  # training rows; with fewer, samples are changed at random and modalities answer separately
EPOCHS = 40
SELECT: Literal["metric", "loss"] = "loss"
PATIENCE = 15
BATCH_SIZE = 32
LEARNING_RATE = 1.5e-3
WEIGHT_DECAY = 0.1
WARMUP = 0.1
CLIP = 1.0
SHUFFLE_BUFFER = 4096
EVERY_SECONDS = 300.0
