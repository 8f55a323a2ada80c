"""Options in groups: what is given on the command line stands in the call, under its own name."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gnnfuse import workflow
from gnnfuse.encoders import Encoders
from gnnfuse.tables import ColumnOptions, OpenOptions
from gnnfuse.workflow import FitOptions, default_config
from tests.conftest import Run

GIVEN = (
    *("--preset", "best", "--members", "graph,linear", "--folds", 3),
    *("--dim", 12, "--depth", 2, "--readout", "typed", "--kind", "multilabel", "--separator", ";"),
    *("--fractions", "0.5,0.3,0.2", "--on-error", "skip", "--augment", "--class-weights", "--threshold", 0.3),
    *("--image-encoder", "a", "--image-weights", "b", "--audio-encoder", "c", "--audio-weights", "d"),
    *("--text-encoder", "e", "--text-weights", "f", "--cache", "g", "--cache-dtype", "float16", "--tune-last", 2),
    *("--epochs", 2, "--select", "metric", "--patience", 0, "--minutes", 1, "--batch-size", 2, "--learning-rate", 1),
    *("--weight-decay", 1, "--warmup", 0.5, "--clip", 2, "--seed", 1, "--device", "cpu", "--workers", 1),
    *("--precision", "bf16-mixed", "--devices", 2, "--num-nodes", 2, "--strategy", "ddp", "--accumulate", 2),
    *("--compile", "--shuffle-buffer", 2, "--every-seconds", 0, "--log", "csv", "--resume"),
)
COLUMNS = ("--text", "", "--image", "photo", "--target", "a", "--target", "b", "--id", "name", "--ignore", "c")


def usual(found: Any, default: Any) -> set[str]:
    """The fields that have their default."""
    return {field.name for field in fields(found) if getattr(found, field.name) == getattr(default, field.name)}


def test_every_option_of_fit_reaches_the_call(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: dict[str, Any] = {}

    def call(table: object, **given: object) -> None:
        caught.update(given)
        raise ValueError("far enough")

    monkeypatch.setattr(workflow, "fit", call)
    code, _, told = run("fit", "table.csv", "--out", "model", *GIVEN, "--media", "m", "--blank", "-", *COLUMNS)
    assert (code, "far enough" in told) == (2, True), told
    options, config = caught["options"], caught["config"]
    assert usual(options, FitOptions()) == {"model"}  # another has no readout to choose
    assert usual(options.encoders, Encoders()) == {"fine_tune"}  # excludes a cache
    assert usual(config, default_config()) == {"augment", "progress"}  # `fit` and the terminal do these
    assert caught["opening"] == OpenOptions(media=Path("m"), blanks=["-"])
    assert caught["columns"] == ColumnOptions(text=[], image="photo", target=["a", "b"], id="name", ignore="c")
    assert (config.seconds, config.patience, config.logs) == (60.0, None, ("csv",))
