"""What is neither here nor reachable gives one message with the command that fetches it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gnnfuse.nodes import NodeType, PretrainedAudio, PretrainedImage, PretrainedNodes, PretrainedText, TextTokens
from tests.nodes.pretrained.tiny_models import timm_image, transformers_audio, transformers_image, transformers_text

CASES: dict[str, tuple[Callable[[], NodeType], str]] = {
    "torchvision": (
        lambda: PretrainedImage(model="torchvision/resnet18"),
        "python -c \"from torchvision.models import get_weight; get_weight('ResNet18_Weights.IMAGENET1K_V1')",
    ),
    "timm": (
        lambda: PretrainedImage(model="timm/resnet18.a1_in1k"),
        "python -c \"import timm; timm.create_model('resnet18.a1_in1k', pretrained=True)\"",
    ),
    "torchaudio": (
        lambda: PretrainedAudio(model="torchaudio/HUBERT_BASE"),
        'python -c "import torchaudio; torchaudio.pipelines.HUBERT_BASE.get_model()"',
    ),
    "image": (lambda: PretrainedImage(model="nobody/vit"), "hf download nobody/vit"),
    "audio": (lambda: PretrainedAudio(model="nobody/hubert"), "hf download nobody/hubert"),
    "text": (lambda: PretrainedText(model="nobody/bert"), "hf download nobody/bert"),
    "revision": (lambda: PretrainedText(model="nobody/bert", weights="v2"), "hf download nobody/bert --revision v2"),
    "tokens": (lambda: TextTokens(tokenizer="nobody/bert"), "hf download nobody/bert"),
}

KINDS: dict[str, tuple[Callable[..., PretrainedNodes], str]] = {
    "audio": (transformers_audio, "wav2vec2"),
    "text": (transformers_text, "bert"),
    "image": (transformers_image, "vit"),
    "timm": (timm_image, "test_vit"),
}


@pytest.mark.parametrize("case", CASES)
def test_missing_weights(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    make, command = CASES[case]
    with pytest.raises(FileNotFoundError, match=re.escape(command)) as caught:
        make().encoder(4)
    assert str(caught.value).startswith("found no ")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises((FileNotFoundError, ValueError), match=re.escape(str(tmp_path))):
        PretrainedText(model=str(tmp_path))


@pytest.mark.parametrize(
    ("of", "read"),
    [
        ("audio", PretrainedText),
        ("text", PretrainedImage),
        ("image", PretrainedAudio),
        ("timm", PretrainedText),
        ("timm", PretrainedAudio),
    ],
)
def test_a_model_of_another_kind(tmp_path: Path, of: str, read: Callable[..., NodeType]) -> None:
    make, name = KINDS[of]
    folder = str(make(tmp_path, name).model)
    with pytest.raises((FileNotFoundError, ValueError), match=re.escape(folder)):
        read(model=folder)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"found no file 'absent.pth', expected a state dict"):
        PretrainedImage(model="torchvision/resnet18", weights="absent.pth").encoder(4)


def test_a_file_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Path("code")}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="unreadable weights"):
        PretrainedImage(model="torchvision/resnet18", weights=str(tmp_path / "code.pth")).encoder(4)


def test_code_of_a_model_is_not_run(tmp_path: Path) -> None:
    auto = '{"AutoConfig": "code.Config", "AutoModel": "code.Model"}'
    (tmp_path / "config.json").write_text(f'{{"model_type": "own", "auto_map": {auto}}}')
    (tmp_path / "code.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(ValueError, match=r"own|trust_remote_code"):
        PretrainedText(model=str(tmp_path))


@pytest.mark.parametrize("model", ["/nowhere/bert", "./bert", "../models/bert", "~/bert"])
def test_a_folder_that_is_not_there_is_no_model_of_the_hub(model: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"found no folder {model}, expected one with a model") as told:
        PretrainedText(model=model)
    assert "hf download" not in str(told.value)
