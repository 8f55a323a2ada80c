"""What a saved model from elsewhere may make loading do: no network, and nothing that its weights do not warrant."""

import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gnnfuse.fusion import Concat, JointTransformer
from gnnfuse.nodes import TextTokens
from gnnfuse.saving import from_pretrained, save_pretrained, within_bounds
from tests.nodes.pretrained.tiny_models import transformers_image, transformers_text

BILLION = 10**9


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models, by what they read."""
    tiny, folder = tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("saved")
    save_pretrained(JointTransformer([TextTokens()], dim=8, depth=1), folder / "bytes")
    save_pretrained(Concat([transformers_text(tiny, "bert")], dim=8, depth=1), folder / "text")
    save_pretrained(Concat([transformers_image(tiny, "vit")], dim=8, depth=1), folder / "image")
    return {path.name: path for path in folder.iterdir()}


def entry(described: Any, name: str) -> dict[str, Any]:
    """The first mapping in a description that has an entry of this name."""
    pending = [described]
    while pending:
        value = pending.pop()
        if isinstance(value, dict) and name in value:
            return value
        if isinstance(value, dict | list):
            pending += list(value.values() if isinstance(value, dict) else value)
    raise KeyError(name)


def changed(folder: Path, place: Path, **changes: object) -> Path:
    """A copy whose config has other entries."""
    shutil.copytree(folder, place)
    config = json.loads((place / "config.json").read_text())
    for name, value in changes.items():
        entry(config["object"], name)[name] = value
    (place / "config.json").write_text(json.dumps(config))
    return place


def refused(folder: Path, **given: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        from_pretrained(folder, **given)
    assert "\n" not in str(caught.value)[:80]
    return str(caught.value)


@pytest.mark.parametrize("changes", [{"architecture": None}, {"tokenizer": "owner/name"}, {"tokenizer": None}])
def test_what_the_folder_lacks_is_not_looked_for_elsewhere(
    changes: dict[str, object], saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = changed(saved["text"], tmp_path / "changed", model="owner/name", **changes)
    [name] = changes
    assert f"config.json: node type 'text': found no {name} in the saved model" in refused(folder)


class Reaching(TextTokens):
    """Opens a connection when it is made."""

    def __post_init__(self) -> None:
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_network_is_never_reached(saved: dict[str, Path], tmp_path: Path) -> None:
    """A class of the caller's own stands for whatever a library does behind a constructor."""
    folder = changed(saved["bytes"], tmp_path / "changed")
    text = (folder / "config.json").read_text().replace("gnnfuse.nodes.text_tokens:TextTokens", f"{__name__}:Reaching")
    (folder / "config.json").write_text(text)
    found = refused(folder, classes=[Reaching])
    assert "config.json: its files would be fetched from a network (192.0.2.1" in found
    with pytest.raises(OSError, match=r"."):  # outside a load everything is as it was
        socket.socket().connect(("127.0.0.1", 9))


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_backbone_named_after_the_hub(pretrained: bool, saved: dict[str, Path], tmp_path: Path) -> None:
    config = {"model_type": "detr", "backbone": "owner/name", "use_timm_backbone": False}
    described = json.loads((saved["image"] / "config.json").read_text())["object"]
    inner = entry(described, "model_type") | config | {"use_pretrained_backbone": pretrained}
    folder = changed(saved["image"], tmp_path / "changed", dict=inner)
    assert "config.json: its files would be fetched from a network (huggingface.co)" in refused(folder)


def test_a_detection_network_of_torchvision() -> None:
    from gnnfuse.nodes.pretrained.torchvision_network import build

    with pytest.raises(ValueError, match="'fasterrcnn_resnet50_fpn' is no classification network, and would fetch"):
        build("fasterrcnn_resnet50_fpn", {})


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("bytes", {"depth": 10**7}, "found 10,000,000 layers in object.arguments.depth, more than the weights"),
        ("text", {"num_hidden_layers": 10**6}, r"config.dict.num_hidden_layers, more than the weights have tensors"),
        ("bytes", {"dim": BILLION}, "found 1,000,000,000 in object.arguments.dim, more than all the weights"),
        ("text", {"vocab_size": 10**12}, "describes a model with far more memory than its weights have"),
        ("text", {"intermediate_size": BILLION}, "describes a model with far more memory than its weights have"),
        (
            "text",
            {"hidden_act": "nonsense"},
            "cannot make a 'bert' model from its configuration (KeyError: 'nonsense')",
        ),
        (
            "text",
            {"hidden_size": -8},
            "cannot make a 'bert' model from its configuration (RuntimeError: Trying to create",
        ),
        ("text", {"model_type": None}, "found no model_type in the configuration"),
        ("bytes", {"dim": "eight"}, "JointTransformer cannot be built from the arguments"),
        ("bytes", {"dim": -8}, "dim must be at least 1, found -8"),
    ],
)
def test_numbers_and_words_that_no_weights_bear_out(
    kind: str, changes: dict[str, object], message: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    found = refused(changed(saved[kind], tmp_path / "changed", **changes))
    assert found.startswith(f"{tmp_path / 'changed' / 'config.json'}: ")
    assert message in found


@pytest.mark.parametrize("kind", ["Trainer", "pipeline", "AutoTokenizer", "RagTokenizer", 5])
def test_a_tokenizer_class_that_is_none(kind: object, saved: dict[str, Path], tmp_path: Path) -> None:
    described = json.loads((saved["text"] / "config.json").read_text())["object"]
    files = dict(entry(described, "files")["files"])
    settings = json.loads(files["tokenizer_config.json"]) | {"tokenizer_class": kind}
    files["tokenizer_config.json"] = json.dumps(settings)
    folder = changed(saved["text"], tmp_path / "changed", files=list(files.items()))
    assert "config.json: found" in (found := refused(folder))
    assert "tokenizer.json, tokenizer_config.json" in found


def test_depth_of_parts_in_parts(saved: dict[str, Path], tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"list": [deep]}
    assert "found entries nested" in refused(changed(saved["bytes"], tmp_path / "changed", dim=deep))


def test_files_far_larger_than_what_they_hold(saved: dict[str, Path], tmp_path: Path) -> None:
    header = changed(saved["bytes"], tmp_path / "header") / "model.safetensors"
    content = header.read_bytes()
    header.write_bytes(struct.pack("<Q", 90_000_000) + content[8:])
    os.truncate(header, 90_000_100)
    assert "unreadable weights (a header of 90,000,000 bytes, expected at most" in refused(header.parent)
    sparse = changed(saved["bytes"], tmp_path / "sparse") / "model.safetensors"
    words = json.dumps({"big": {"dtype": "U8", "shape": [10**13], "data_offsets": [0, 10**13]}}).encode()
    sparse.write_bytes(struct.pack("<Q", len(words)) + words)
    os.truncate(sparse, 8 + len(words) + 10**13)
    assert "bytes of weights, more than this machine's memory" in refused(sparse.parent)
    name = f"{'0' * 64}.txt"
    text = changed(saved["bytes"], tmp_path / "text", dim={"text": name}) / "texts" / name
    text.parent.mkdir(exist_ok=True)
    text.touch()
    os.truncate(text, 30 * 2**30)
    assert f"{name}: found 32,212,254,720 bytes, expected at most" in refused(text.parents[1])


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: torch.zeros(3, 5), 15),
        (lambda: torch.empty((2, 3)), 6),
        (lambda: torch.arange(7), 7),
        (lambda: torch.arange(1, 8, 2), 4),
        (lambda: torch.linspace(0, 1, 9), 9),
        (lambda: torch.eye(3), 9),
        (lambda: torch.randperm(4), 4),
        (lambda: torch.zeros(2).new_zeros(3, 4), 2 + 12),
    ],
)
def test_new_memory_is_counted_before_it_is_there(make: Callable[[], torch.Tensor], count: int) -> None:
    budget = within_bounds._Budget({})
    before = budget.bytes
    with budget:
        made = make()
    assert before - budget.bytes == count * (4 if made.dtype == torch.int64 else made.dtype.itemsize)  # at least
    assert within_bounds.FREE_TENSORS - budget.tensors >= 1
