"""Training on cached features: the encoders run once, and the model that is saved needs no cache."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gnnfuse.nodes import CachedNodes
from gnnfuse.saving import from_pretrained
from gnnfuse.tasks import Blend, Task
from gnnfuse.train import FitReport, fit_task
from gnnfuse.workflow import fit_table, training_samples
from tests.conftest import Run
from tests.nodes.pretrained.conftest import _offline as _offline
from tests.nodes.pretrained.conftest import tiny as tiny
from tests.nodes.pretrained.tiny_models import TEXTS, transformers_image, transformers_text

ROWS = 24
SMALL = ("--model", "graph", "--dim", 8, "--depth", 1, "--epochs", 2, "--device", "cpu", "--target", "label")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Rows with a picture of their own and one of five captions, one of each empty; two classes."""
    lines = ["name,photo,caption,label"]
    for number in range(ROWS):
        draw(tmp_path / f"{number}.png", number)
        photo = f"{number}.png" if number != 4 else ""
        caption = TEXTS[number % len(TEXTS)] if number != 5 else ""
        lines.append(f"row {number},{photo},{caption},{'xy'[number % 2]}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def draw(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def both(tiny: Path) -> tuple[object, ...]:
    image, text = transformers_image(tiny, "vit").model, transformers_text(tiny, "bert").model
    return ("--image-encoder", image, "--text-encoder", text, "--image", "photo", "--text", "caption", "--id", "name")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_encoders_run_once_and_the_saved_model_needs_no_cache(
    tiny: Path, table: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Task] = []

    def noted(task: Task, *data: Any, **options: Any) -> FitReport:
        trained.append(task)
        return fit_task(task, *data, **options)

    monkeypatch.setattr(fit_table, "fit_task", noted)
    folder, outs = table.parent / "features", [table.parent / name for name in ("first", "second", "live")]
    asked = ("fit", table, *both(tiny), *SMALL, "--no-augment")
    for out, made in zip(outs, ((23, 5), (0, 0)), strict=False):
        code, shown, told = run(*asked, "--out", out, "--cache", folder)
        assert code == 0, told
        assert f"photo: features of {both(tiny)[1]} in {folder}: {made[0]} made, {23 - made[0]} there already" in shown
        assert f"in {folder}: {made[1]} made, {23 - made[1]} there already, 1 empty, 0 unreadable" in shown
    assert run(*asked, "--out", outs[2])[0] == 0
    shutil.rmtree(folder)
    for task in trained[:2]:
        assert not [name for name, _ in task.named_parameters() if "backbone" in name]
    said = []
    for out in outs:
        assert run("predict", out, table, "--out", out / "said.csv", "--device", "cpu")[0] == 0
        said.append(rows_of(out / "said.csv"))
    assert said[0] == said[1]
    for cached, live in zip(said[0], said[2], strict=True):  # the encoders gave training what the cache gave it
        assert float(cached["probability_x"]) == pytest.approx(float(live["probability_x"]), abs=1e-4)
    results = [json.loads((out / "results.json").read_text()) for out in outs]
    assert [found["training"]["cached"] for found in results] == [["photo", "caption"], ["photo", "caption"], []]
    assert results[0]["model"] == results[2]["model"]
    assert results[0]["metrics"] == results[1]["metrics"]
    image, text = both(tiny)[1], both(tiny)[3]
    assert results[0]["model"]["encoders"] == [
        {"signal": "caption", "model": text, "weights": None, "fine_tuned": False, "tuned_blocks": 0},
        {"signal": "photo", "model": image, "weights": None, "fine_tuned": False, "tuned_blocks": 0},
    ]  # by name
    assert f"`photo` is read by `{image}`, frozen" in (outs[0] / "report.md").read_text()
    assert f"| encoder of caption | {text}, frozen |" in (outs[2] / "README.md").read_text()
    assert "`photo` was read from the cache" in (outs[0] / "report.md").read_text()


def test_tuned_blocks_learn_the_same_from_cached_states(tiny: Path, table: Path, run: Run) -> None:
    outs, folder = [table.parent / name for name in ("cached", "live")], table.parent / "features"
    code, _, told = run("cache", table, *both(tiny)[:-2], "--tune-last", 1, "--out", folder, "--device", "cpu")
    assert code == 0, told
    for out, words in zip(outs, (("--cache", folder), ()), strict=True):
        tuned = (*both(tiny), "--tune-last", 1, *words)
        code, shown, told = run("fit", table, *SMALL, "--no-augment", *tuned, "--out", out)
        assert code == 0, told
        assert ("0 made" in shown) == bool(words)
    results = [json.loads((out / "results.json").read_text()) for out in outs]
    assert results[0]["model"] == results[1]["model"]
    assert [each["tuned_blocks"] for each in results[0]["model"]["encoders"]] == [1, 1]
    for split, found in results[0]["metrics"].items():
        assert found == pytest.approx(results[1]["metrics"][split], abs=1e-4)
    assert "last block tuned" in (outs[0] / "report.md").read_text()
    assert "last block tuned" in (outs[0] / "README.md").read_text()
    weights = [load_file(out / "model.safetensors") for out in outs]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-3, atol=1e-4, msg=name)


def test_features_of_the_cache_command_are_read_and_stale_ones_are_not(tiny: Path, table: Path, run: Run) -> None:
    folder = table.parent / "features"
    assert run("cache", table, *both(tiny)[:8], "--out", folder, "--workers", 0, "--device", "cpu")[0] == 0
    draw(table.parent / "7.png", seed=99)
    code, shown, told = run("fit", table, *both(tiny), *SMALL, "--cache", folder, "--out", table.parent / "model")
    assert code == 0, told
    assert f"in {folder}: 1 made, 22 there already, 1 empty" in shown  # the picture that was drawn anew
    assert f"in {folder}: 0 made, 23 there already, 1 empty" in shown


def test_what_augmentation_still_changes_is_said(tiny: Path, table: Path, run: Run) -> None:
    folder, image = table.parent / "features", transformers_image(tiny, "vit").model
    some = ("--image-encoder", image, "--image", "photo", "--cache", folder)
    code, shown, told = run("fit", table, *some, *SMALL, "--out", table.parent / "both", "--text", "caption")
    assert code == 0, told
    assert "augmentation leaves out whole signals and changes caption; it cannot change cached signals" in shown
    out = table.parent / "one"
    table.write_text(table.read_text().replace(",,", ",0.png,"))
    code, shown, told = run("fit", table, *some, *SMALL, "--out", out, "--text", "", "--augment")
    assert code == 0, told
    assert "cached signals (photo) are not changed at random, nor is anything else" in shown
    assert json.loads((out / "results.json").read_text())["training"]["augment"] is False


def test_options_that_do_not_go_together_are_refused(tiny: Path, table: Path, run: Run) -> None:
    out, folder = table.parent / "model", table.parent / "features"
    text = both(tiny)[3]
    for words, part in (
        (("--cache", folder), "without a pretrained encoder, expected at least one"),
        (("--cache", folder, "--text-encoder", text, "--fine-tune"), "features of encoders that are trained change"),
        (("--fine-tune",), "found fine_tune without a pretrained encoder"),
        (("--tune-last", 1), "found tune_last 1 and no pretrained encoder"),
        (("--tune-last", 1, "--text-encoder", text, "--fine-tune"), "fine_tune, which trains all blocks"),
        (("--tune-last", -1, "--text-encoder", text), "found tune_last -1, expected a number of blocks"),
        (("--tune-last", 3, "--text-encoder", text), "expected at most the 2 that it has"),
        (("--cache-dtype", "float16"), "found cache_dtype 'float16' without a cache"),
        (("--separator", ";", "--kind", "classification"), "found separator ';' for classification"),
        (("--text-weights", "main"), "found text_weights 'main' without a pretrained encoder for text"),
        (("--audio-encoder", "torchaudio/HUBERT_BASE"), "found a pretrained encoder for audio"),
    ):
        code, _, told = run("fit", table, *SMALL, "--out", out, *words)
        assert (code, len(told.strip().splitlines())) == (2, 1), told
        assert part in told
    assert not folder.exists()


@pytest.mark.parametrize("on_error", ["stop", "missing", "skip"])
def test_what_cannot_be_read_is_treated_as_without_a_cache(tiny: Path, table: Path, run: Run, on_error: str) -> None:
    (table.parent / "3.png").write_bytes(b"no picture")
    found: list[Any] = []
    for name in ("cached", "live"):
        out = table.parent / name
        more = ("--cache", table.parent / "features") if name == "cached" else ()
        code, _, told = run("fit", table, *both(tiny), *SMALL, "--out", out, "--on-error", on_error, *more)
        if on_error == "stop":
            assert code == 2
            assert "row 4, 'row 3'," in told
            assert "found unreadable picture" in told
        else:
            assert code == 0, told
            found.append((rows_of(out / "rejects.csv"), json.loads((out / "results.json").read_text())["rows"]))
    if found:
        assert found[0] == found[1]
        assert [(row["row"], row["column"]) for row in found[0][0]] == [("4", "photo")]


def test_a_run_on_cached_features_goes_on_to_the_same_end(tiny: Path, table: Path, run: Run) -> None:
    asked = ("fit", table, *both(tiny), *SMALL, "--cache", table.parent / "features")
    outs = [table.parent / name for name in ("whole", "cut")]
    assert run(*asked, "--out", outs[0])[0] == 0
    shutil.copytree(outs[0] / "checkpoints", outs[1] / "checkpoints")
    newest = max((outs[1] / "checkpoints").iterdir(), key=lambda path: path.name)
    if len(list((outs[1] / "checkpoints").iterdir())) > 1:
        newest.unlink() if newest.is_file() else shutil.rmtree(newest)
    assert run(*asked, "--out", outs[1], "--resume")[0] == 0
    one, other = ((out / "model.safetensors").read_bytes() for out in outs)
    assert one == other


def test_cached_features_are_read_once_and_lose_whole_signals_in_the_batch(
    tiny: Path, table: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("fit", table, *both(tiny), *SMALL, "--augment", "--cache", table.parent / "features")
    said = []
    for name, memory in (("kept", training_samples.IN_MEMORY), ("anew", 1)):
        monkeypatch.setattr(training_samples, "IN_MEMORY", memory)
        code, shown, told = run(*asked, "--out", table.parent / name)
        assert code == 0, told
        said.append(shown)
    assert ["train rows are read in every epoch" in shown for shown in said] == [False, True]
    assert "augmentation leaves out whole signals; it cannot change cached signals (photo, caption)" in said[0]
    one, other = ((table.parent / name / "model.safetensors").read_bytes() for name in ("kept", "anew"))
    assert one == other


def test_node_types_without_augmentation_have_the_same_features(tiny: Path) -> None:
    from gnnfuse.nodes.augmentation import ImageCrop

    node_types = (
        transformers_image(tiny, "vit", augmentation=ImageCrop(0.5)),
        transformers_text(tiny, "bert", word_dropout=0.2),
    )
    for node_type in node_types:
        plain = node_type.without_augmentation()
        assert node_type.augments
        assert not plain.augments
        assert plain.fingerprint() == node_type.fingerprint()
        assert CachedNodes(of=plain, folder="features").name == node_type.name


def test_features_of_a_stream_are_cached(tiny: Path, table: Path, run: Run) -> None:
    folder, out = table.parent / "features", table.parent / "model"
    code, shown, told = run("fit", table, *both(tiny), *SMALL, "--cache", folder, "--out", out, "--streaming")
    assert code == 0, told
    assert f"in {folder}: 23 made, 0 there already, 1 empty, 0 unreadable" in shown
    assert json.loads((out / "results.json").read_text())["training"]["cached"] == ["photo", "caption"]
    shutil.rmtree(folder)
    assert run("predict", out, table, "--out", table.parent / "said.csv", "--device", "cpu", "--streaming")[0] == 0
    assert len(rows_of(table.parent / "said.csv")) == ROWS


def test_a_member_of_its_own_tunes_the_last_blocks(tiny: Path, table: Path, run: Run) -> None:
    out = table.parent / "model"
    asked = ("--members", "graph,linear", "--folds", 1, "--tune-last", 1)
    code, _, told = run("fit", table, *both(tiny), *SMALL[2:], *asked, "--out", out)
    assert code == 0, told
    results = json.loads((out / "results.json").read_text())
    assert [each["name"] for each in results["members"]][:3] == ["graph", "graph tuned", "linear"]
    assert not (out / "checkpoints" / "features").exists()
    loaded = from_pretrained(out)
    assert isinstance(loaded, Task)
    assert isinstance(loaded.model, Blend)
    assert run("predict", out, table, "--out", out / "said.csv", "--device", "cpu")[0] == 0
    assert len(rows_of(out / "said.csv")) == 24
