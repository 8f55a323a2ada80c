"""A table whose encoders have their real weights: from `fit` to the predictions of a fresh process."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from gnnfuse.saving import from_pretrained
from gnnfuse.tasks import Classification
from tests.conftest import Run
from tests.nodes.pretrained.conftest import _offline as _offline

ROWS = 12
COLORS = {"red": (200, 30, 40), "blue": (20, 40, 210)}


def write_table(folder: Path) -> Path:
    """Pictures in two colours, no two of one size, and captions of which half name the colour."""
    lines = ["photo,caption,label"]
    for row in range(ROWS):
        color = list(COLORS)[row % 2]
        noise = np.random.default_rng(row).integers(-20, 20, (40, 60 + row, 3))
        Image.fromarray((np.array(COLORS[color]) + noise).astype(np.uint8)).save(folder / f"{row}.png")
        lines.append(f"{row}.png,a {color if row % 4 < 2 else 'nice'} thing,{color}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder / "table.csv"


def test_fit_predict_save_and_load_in_a_fresh_process(shared_models: Path, tmp_path: Path, run: Run) -> None:
    table, out = write_table(tmp_path), tmp_path / "model"
    encoders = (
        *("--image-encoder", "timm/tf_efficientnet_lite0"),
        *("--image-weights", shared_models / "efficientnet_lite0" / "model.safetensors"),
        *("--text-encoder", shared_models / "minilm"),
        *("--tune-last", 1, "--cache", tmp_path / "features", "--members", "graph"),
    )
    small = ("--dim", 16, "--depth", 1, "--epochs", 1, "--device", "cpu")
    code, _, told = run("fit", table, *encoders, *small, "--target", "label", "--text", "caption", "--out", out)
    assert code == 0, told
    assert run("predict", out, table, "--out", tmp_path / "here.csv", "--device", "cpu")[0] == 0
    command = [sys.executable, "-m", "gnnfuse", "predict", out, table, "--out", tmp_path / "there.csv"]
    subprocess.run([*map(str, command), "--device", "cpu"], check=True, cwd=Path(__file__).parents[2])
    here, there = (read(tmp_path / name) for name in ("here.csv", "there.csv"))
    assert len(here) == ROWS
    for first, second in zip(here, there, strict=True):
        assert abs(float(first["probability_red"]) - float(second["probability_red"])) < 1e-5
    loaded = from_pretrained(out)
    assert isinstance(loaded, Classification)
    pretrained = load_file(shared_models / "efficientnet_lite0" / "model.safetensors")
    for layer, same in (
        ("conv_stem.weight", True),
        ("blocks.5.3.conv_pw.weight", True),
        ("conv_head.weight", False),
    ):
        [own] = [tensor for name, tensor in loaded.state_dict().items() if name.endswith(layer)]
        assert torch.equal(own, pretrained[layer]) == same, layer


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_misspelt_name_is_refused_before_anything_is_trained(tmp_path: Path, run: Run) -> None:
    table, out = write_table(tmp_path), tmp_path / "model"
    code, _, told = run("fit", table, "--target", "label", "--image-encoder", "timm/resnet17", "--out", out)
    assert code == 2
    assert "did you mean 'resnet18'" in told
    assert len(told.strip().splitlines()) == 1
    assert not (out / "model.safetensors").exists()
