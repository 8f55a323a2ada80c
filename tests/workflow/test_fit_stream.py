"""The commands on a stream: what they write is what they write of the same table held in memory, where it can be."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from gnnfuse.graph import NumberTarget
from gnnfuse.nodes import Features
from gnnfuse.saving import from_pretrained
from gnnfuse.tables import ColumnOptions, OpenOptions
from gnnfuse.tables.arrow_rows import ArrowRows
from gnnfuse.tasks import Task
from gnnfuse.workflow import FitOptions, default_config, fit, table_splits
from tests.conftest import Run
from tests.workflow.test_fit_table import CutsAfter

ROWS = 48
TEXTS = ("a cat sat", "two dogs ran", "abcdefgh", "bad head fed cafe")
SMALL = (
    "--model",
    "graph",
    "--dim",
    8,
    "--depth",
    1,
    "--epochs",
    1,
    "--batch-size",
    8,
    "--device",
    "cpu",
    "--id",
    "name",
)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Pictures, recordings, captions and a number, some missing; a class, labels, a number and a split to learn."""
    rng = np.random.default_rng(0)
    lines = ["name,photo,clip,caption,weight,species,tags,age,part"]
    for number in range(ROWS):
        pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        soundfile.write(tmp_path / f"{number}.wav", rng.uniform(-0.1, 0.1, 800), 8000)
        photo, clip = f"{number}.png" if number % 7 else "", f"{number}.wav" if number % 5 else ""
        caption = f"{TEXTS[number % len(TEXTS)]} {number}" if number % 6 else ""
        species, part = ("cat", "cat", "dog")[number % 3], ("train", "train", "valid", "train", "test")[number % 5]
        tags, numbers = ("a", "b|a", "b")[number % 3], f"{number % 3 + rng.random():.3f},{species}"
        lines.append(f"pet {number},{photo},{clip},{caption},{numbers},{tags},{number + rng.random():.3f},{part}")
    (tmp_path / "pets.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "pets.csv"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def results_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def both(run: Run, table: Path, *words: object) -> tuple[Path, Path]:
    """The folders of a run on the table in memory, and on the stream."""
    outs = table.parent / "held", table.parent / "streamed"
    for out, more in zip(outs, ((), ("--streaming",)), strict=True):
        code, _, told = run("fit", table, *SMALL, *words, "--out", out, *more)
        assert code == 0, told
    return outs


@pytest.mark.parametrize(
    ("target", "kind"), [("species", "classification"), ("tags", "multilabel"), ("age", "regression")]
)
def test_classes_and_scales_are_those_of_the_training_split(pets: Path, run: Run, target: str, kind: str) -> None:
    held, streamed = both(run, pets, "--target", target, "--split", "part", "--features", "weight")
    described = [json.loads((out / "config.json").read_text())["object"] for out in (held, streamed)]
    assert described[0] == described[1]
    check_scales(streamed, rows_of(pets), target)
    assert (held / "table.json").read_text() == (streamed / "table.json").read_text()
    one, other = results_of(held), results_of(streamed)
    for name in ("classes", "columns", "present", "rows", "splits", "model"):
        assert one[name] == other[name], name
    assert other["task"] == kind
    assert (one["training"].pop("streaming"), other["training"].pop("streaming")) == (False, True)
    assert one["training"] == other["training"]
    assert {path.name for path in held.iterdir()} == {path.name for path in streamed.iterdir()}


def check_scales(model: Path, rows: list[dict[str, str]], target: str) -> None:
    """Means and medians are those of the rows for training, and classes too."""
    train = [row for row in rows if row["part"] == "train"]
    task = from_pretrained(model)
    assert isinstance(task, Task)
    [numbers] = [node_type for node_type in task.builder.node_types if isinstance(node_type, Features)]
    assert numbers.mean is not None
    assert numbers.mean[0] == pytest.approx(np.mean([float(row["weight"]) for row in train]), rel=1e-5)
    if target == "age":
        assert isinstance(task.builder.target, NumberTarget)
        assert task.builder.target.center[0] == pytest.approx(np.median([float(row["age"]) for row in train]), rel=1e-5)


@pytest.mark.parametrize("on_error", ["missing", "skip"])
def test_what_cannot_be_read_is_rejected_alike(pets: Path, run: Run, on_error: str) -> None:
    (pets.parent / "8.png").write_bytes(b"no picture")  # of training
    (pets.parent / "9.wav").write_bytes(b"no recording")  # of testing
    text = pets.read_text().replace("pet 12,", "pet 12,../x").replace("pet 21,,", "pet 21,gone.png,")
    lines = [line.replace(",dog,", ",,") if line.startswith("pet 23,") else line for line in text.splitlines()]
    lines = [line.replace(",cat,", ",cow,") if line.startswith("pet 27,") else line for line in lines]  # of validation
    pets.write_text("\n".join(lines) + "\n")
    words = ("--target", "species", "--split", "part", "--on-error", on_error)
    held, streamed = both(run, pets, *words)
    rejects = rows_of(streamed / "rejects.csv")
    assert rejects == rows_of(held / "rejects.csv")
    assert {row["row"] for row in rejects} == {"9", "10", "13", "22", "24", "28"}
    assert results_of(held)["rows"] == results_of(streamed)["rows"]
    assert results_of(held)["splits"] == results_of(streamed)["splits"]
    assert results_of(held)["present"] == results_of(streamed)["present"]


def test_the_first_row_that_cannot_be_read_stops(pets: Path, run: Run) -> None:
    (pets.parent / "8.png").write_bytes(b"no picture")
    asked = ("fit", pets, *SMALL, "--target", "species", "--out", pets.parent / "model", "--streaming")
    code, _, told = run(*asked)
    assert code == 2
    assert "row 9, 'pet 8', column 'photo': found unreadable picture" in told
    lines = pets.read_text().splitlines()
    lines[8] = ",".join("cow" if cell in ("cat", "dog") else cell for cell in lines[8].split(","))
    pets.write_text("\n".join(lines).replace("pet 8,8.png", "pet 8,") + "\n")
    assert "pet 7" in lines[8]
    code, _, told = run(*asked, "--split", "part")  # pet 7 is for validation
    assert code == 2
    assert "row 8, 'pet 7', column 'species': found class 'cow' in the valid split" in told


def test_splits_by_rule_are_stated(pets: Path, run: Run) -> None:
    out = pets.parent / "model"
    pets.write_text(pets.read_text().replace(",part\n", ",other\n"))
    asked = ("fit", pets, *SMALL, "--target", "species", "--fractions", "0.5,0.25,0.25", "--out", out)
    code, shown, told = run(*asked, "--streaming")
    assert code == 0, told
    splits = results_of(out)["splits"]
    rule = "by rule, 50% train, 25% valid, 25% test, drawn row by row from ids with seed 0"
    assert rule in shown
    assert splits["rule"].startswith(rule)
    assert splits["fractions"] == [0.5, 0.25, 0.25]
    assert sum(splits[name] for name in ("train", "valid", "test")) == ROWS
    assert "classification: column species holds 2 different texts in its first rows" in shown


def test_no_row_is_asked_for_by_its_place(pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the table was held")

    monkeypatch.setattr(ArrowRows, "place", refuse)
    monkeypatch.setattr(ArrowRows, "columns", refuse)
    monkeypatch.setattr(ArrowRows, "take", refuse)
    out = pets.parent / "model"
    code, _, told = run("fit", pets, *SMALL, "--target", "species", "--out", out, "--streaming")
    assert code == 0, told
    for command, name in (("predict", "said.csv"), ("embed", "vectors.npy")):
        code, _, told = run(command, out, pets, "--out", pets.parent / name, "--device", "cpu", "--streaming")
        assert code == 0, told
    with pytest.raises(AssertionError, match="the table was held"):
        run("predict", out, pets, "--out", pets.parent / "said.csv", "--device", "cpu")


@pytest.mark.parametrize("workers", [0, 2])
def test_answers_are_those_of_the_table_in_memory(pets: Path, run: Run, workers: int) -> None:
    model = pets.parent / "model"
    assert run("fit", pets, *SMALL, "--target", "species", "--out", model)[0] == 0
    (pets.parent / "8.png").write_bytes(b"no picture")
    words = ("--device", "cpu", "--batch-size", 7, "--workers", workers, "--on-error", "skip")
    names = ("said.csv", "said.csv.rejects.csv", "vectors.npy", "vectors.npy.ids.csv")
    found = []
    for more in ((), ("--streaming",)):
        out = pets.parent / f"answers{len(more)}"
        for command, name in (("predict", names[0]), ("embed", names[2])):
            code, shown, told = run(command, model, pets, "--out", out / name, *words, *more)
            assert code == 0, told
            assert str(ROWS - 1) in shown
        found.append([(out / name).read_bytes() for name in names])
    assert found[0] == found[1]
    assert np.load(pets.parent / "answers1" / "vectors.npy", allow_pickle=False).shape == (ROWS - 1, 8)


def test_a_stream_is_learned_from(tmp_path: Path) -> None:
    table = [{"text": word, "label": word} for word in ("yes", "no") * 60]
    found = fit(
        table,
        out=tmp_path,
        columns=ColumnOptions(text="text", target="label"),
        opening=OpenOptions(streaming=True),
        options=FitOptions(model="graph", dim=16, depth=1),
        config=default_config(epochs=12, batch_size=8, device="cpu", shuffle_buffer=16),
    )
    assert found.metrics["test"]["accuracy"] == 1.0


def test_a_run_on_a_stream_goes_on_to_the_same_end(pets: Path, tmp_path: Path) -> None:
    def go(name: str, **more: Any) -> bytes:
        fit(
            pets,
            out=tmp_path / name,
            columns=ColumnOptions(id="name", text="caption", image=[], audio=[], features="weight", target="species"),
            opening=OpenOptions(streaming=True),
            options=FitOptions(model="graph", dim=8, depth=1),
            config=default_config(epochs=3, batch_size=8, device="cpu"),
            **more,
        )
        return (tmp_path / name / "model.safetensors").read_bytes()

    whole = go("whole")
    with pytest.raises(RuntimeError, match="cut"):
        go("cut", observer=CutsAfter(1))
    assert go("cut", resume=True) == whole


def test_what_a_stream_cannot_do_is_refused_before_it_is_split(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the table was read")

    monkeypatch.setattr(table_splits, "split_stream", refuse)
    out = pets.parent / "model"
    code, _, told = run("fit", pets, *SMALL, "--target", "species", "--out", out, "--streaming", "--accumulate", 3)
    assert code == 2
    assert "found batch_size=8 for 3 parts (devices x num_nodes x accumulate), expected a multiple of them" in told
