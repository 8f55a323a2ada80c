"""Weights that a cache has need no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from gnnfuse.nodes import PretrainedAudio, PretrainedImage
from gnnfuse.nodes.pretrained.backbone import weights_digest
from tests.nodes.pretrained.tiny_models import timm_image, torchaudio_audio, transformers_text

COMMIT = "0" * 40
FRESH = """
from gnnfuse.nodes import PretrainedImage, PretrainedText
from gnnfuse.nodes.pretrained.backbone import weights_digest
print(weights_digest(PretrainedText(model="nobody/bert").backbone()))
print(weights_digest(PretrainedImage(model="nobody/resnet").backbone()))
"""


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_torchvision(checkpoints: Path) -> None:
    network = squeezenet1_1()
    torch.save(network.state_dict(), checkpoints / "squeezenet1_1-b8a52dc0.pth")
    backbone = PretrainedImage(model="torchvision/squeezenet1_1").backbone()
    found, expected = backbone.state_dict(), network.state_dict()
    assert found
    assert all(torch.equal(tensor, expected[key.removeprefix("network.network.")]) for key, tensor in found.items())


def test_torchaudio(checkpoints: Path, tiny: Path) -> None:
    given = torchaudio_audio(tiny, "wav2vec2")
    shutil.copy(tiny / "wav2vec2.pth", checkpoints / "absent.pth")
    cached = PretrainedAudio(model="torchaudio/TINY_WAV2VEC2")
    assert weights_digest(cached.backbone()) == weights_digest(given.backbone())


def test_the_hub(tiny: Path, tmp_path: Path) -> None:
    """Models of transformers and of timm, which are told apart by their configs."""
    text, image = transformers_text(tiny, "bert"), timm_image(tiny, "test_resnet")
    for name, folder in (("bert", text.model), ("resnet", image.model)):
        repository = tmp_path / "hub" / f"models--nobody--{name}"
        shutil.copytree(folder, repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", FRESH]
    root = Path(__file__).parents[3]
    finished = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    assert finished.stdout.split() == [weights_digest(given.backbone()) for given in (text, image)]
