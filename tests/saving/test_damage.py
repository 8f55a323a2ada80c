"""What is missing, altered or mixed up in a saved model is a clear error that names it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gnnfuse.saving import from_pretrained, save_pretrained
from tests.saving.models import few_samples, small_task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pretrained(small_task(), tmp_path)
    return tmp_path


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A model without a task, whose builder would contradict a changed model before the weights do."""
    save_pretrained(small_task().model, tmp_path)
    return tmp_path


def change_config(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def change_weights(folder: Path, change: dict[str, torch.Tensor | None]) -> None:
    """None takes a tensor away; the file's other words about itself stay."""
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    weights = {name: tensor for name, tensor in (load_file(path) | change).items() if tensor is not None}
    save_file(weights, path, metadata=metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head.1.weight": None}, r"not the weights that config.json lists; missing: head.1.weight$"),
        ({"stray": torch.zeros(1)}, r"added: stray$"),
        ({"head.1.bias": torch.zeros(3)}, r"altered: head.1.bias \(float32 \[3\] instead of float32 \[2\]\)$"),
        ({"head.1.bias": torch.zeros(2).double()}, r"altered: head.1.bias \(float64 \[2\] instead of float32 \[2\]\)$"),
        ({"head.1.bias": torch.tensor([1e-9, 0.0])}, r"altered: head.1.bias \(other numbers\)$"),
    ],
)
def test_other_tensors_than_those_listed(change: dict[str, torch.Tensor | None], message: str, folder: Path) -> None:
    change_weights(folder, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


def test_every_flipped_bit_is_seen(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in torch.randint(start, len(whole), (20,), generator=torch.Generator().manual_seed(0)).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"altered: [\w.]+ \(other numbers\)$"):
            from_pretrained(folder)


def test_config_and_weights_of_two_saves(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    save_pretrained(small_task(seed=2), other)
    (folder / "config.json").write_bytes((other / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"config.json and model.safetensors are of two different saves"):
        from_pretrained(folder)


def test_a_file_written_anew_by_another_program_is_judged_by_its_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file(load_file(path), path)
    batch = small_task().builder(few_samples(), empty=True)
    assert torch.equal(from_pretrained(folder)(batch), small_task()(batch))


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())["object"]
    return found


def test_a_modality_added_to_the_config_is_named(model_folder: Path) -> None:
    found = described(model_folder)
    extra: dict[str, Any] = {"class": "gnnfuse.nodes.features:Features", "arguments": {"signal": "row", "width": 2}}
    found["arguments"]["node_types"].append(extra)
    change_config(model_folder, {"object": found})
    with pytest.raises(ValueError, match="the weights do not fit the model that") as caught:
        from_pretrained(model_folder)
    assert "node types in config.json: audio, hub, image, row, text, in the weights: audio, hub, image, text;" in str(
        caught.value
    )
    assert "missing: encoders.encoders.row.linear.bias" in str(caught.value)


def test_a_modality_taken_from_the_config_is_named(model_folder: Path) -> None:
    found = described(model_folder)
    arguments = found["arguments"]
    arguments["node_types"] = [t for t in arguments["node_types"] if t["arguments"]["name"] != "audio"]
    arguments["relations"] = [r for r in arguments["relations"] if "audio" not in r["arguments"].values()]
    change_config(model_folder, {"object": found})
    with pytest.raises(
        ValueError, match=r"config.json: hub, image, text, in the weights: audio, hub, image, text;"
    ) as e:
        from_pretrained(model_folder)
    assert "unexpected: encoders.encoders.audio." in str(e.value)
    assert "more" in str(e.value)  # a long list is cut, and counted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 5}, r"found format 5, written by gnnfuse .* reads formats up to 4: update it"),
        ({"format": "2"}, r"found format '2'.* expected a number from 1 on"),
        ({"format": True}, r"found format True"),
        ({"weights": None}, r"damaged, found no list of the weights"),
        ({"weights": {"digest": "a", "tensors": {"x": {}}}}, r"damaged, found no list of the weights"),
        ({"object": {"class": "os:system", "arguments": {}}}, "class os:system is not listed"),
        ({"object": {"class": "gnnfuse.edges.window:Window", "arguments": {}}}, "found a Window, expected a task"),
        ({"object": {"class": "gnnfuse.fusion:Concat", "arguments": {"size": 3}}}, "is not listed"),
        ({"object": {"class": "gnnfuse.fusion.classical.concat:Concat", "arguments": {"size": 3}}}, "cannot be built"),
    ],
)
def test_a_config_that_is_not_ours(change: dict[str, Any], message: str, folder: Path) -> None:
    change_config(folder, change)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, '{"format": 2, "object": {}, \x00', "\ud800"])
def test_a_config_that_is_damaged(text: str, folder: Path) -> None:
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"config.json: damaged, not JSON"):
        from_pretrained(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '"a"', '{"model_type": "bert"}'])
def test_a_config_of_something_else(text: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config.json: found no format and no object"):
        from_pretrained(folder)


def test_files_that_are_not_there_or_broken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(FileNotFoundError, match=r"found no config.json"):
        from_pretrained(tmp_path_factory.mktemp("empty"))
    (folder / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="unreadable weights"):
        from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"found no model.safetensors"):
        from_pretrained(folder)
