"""The benchmark of small tables: what is exported, the classical columns, the results file, the figures."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import small_tables
from gnnfuse.data import Dataset, HeldOut
from gnnfuse.sample import Audio, Sample
from gnnfuse.tables import ColumnOptions, guess_columns, open_table
from small_tables_comparison.answers import Classes, Numbers
from small_tables_comparison.classical import STRENGTHS, classical_columns, linear, side_by_side, spanned
from small_tables_comparison.export import FILE, SEEN, write
from small_tables_comparison.figures import judged, table_figures
from small_tables_comparison.modalities import Modality, modalities
from small_tables_comparison.raw_features import oriented_gradients, sound_features
from small_tables_comparison.record import Record
from small_tables_comparison.rows import Rows, read_rows
from small_tables_comparison.tables import SmallTable, tables

TABLE = SmallTable(
    name="tiny",
    source="none",
    content="tiny",
    target="kind",
    media={"image": "photo", "audio": "clip", "text": "word"},
    group="speaker",
    pretrained=False,
    rows={"train": 24, "test_seen": 2},
)
WORDS = {"high": "an upper tone", "low": "the deep bass"}


def sample(number: int) -> Sample:
    """Pictures are dark or bright, recordings high or low, texts of two kinds; each third lacks one of them."""
    rng, kind = np.random.default_rng(number), ("high", "low")[number % 2]
    wave = np.sin(np.arange(1600) * (0.9 if kind == "high" else 0.2)) * 0.5
    signals: dict[str, object] = {
        "image": rng.integers(0, 100, (12, 10, 3)).astype(np.uint8) + np.uint8(150 * (kind == "high")),
        "audio": Audio((wave + 0.01 * rng.standard_normal(1600)).astype(np.float32), 8000),
        "text": WORDS[kind],
    }
    del signals[("image", "audio", "text")[number % 3]]
    return Sample(signals, target=kind, id=f"s/{number}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tiny")
    splits = [[sample(number) for number in range(*ends)] for ends in ((0, 30), (30, 42), (42, 54), (54, 60))]
    train, valid, test, seen = splits
    ids = [str(each.id) for split in splits for each in split]
    dataset = Dataset(
        name="tiny",
        train=train,
        valid=valid,
        tests={"test": HeldOut(test), "test_seen": HeldOut(seen)},
        target="classification",
        classes=("high", "low"),
        groups={"speaker": {id: "ab"[number % 2] for number, id in enumerate(ids)}},
    )
    write(TABLE, dataset, made)
    return made


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_exported_table_has_the_samples_and_gnnfuse_reads_it(folder: Path) -> None:
    rows = cells(folder / FILE)
    assert [row["split"] for row in rows] == ["train"] * 24 + ["valid"] * 12 + ["test"] * 12
    assert [rows[0]["photo"], rows[1]["clip"], rows[2]["word"]] == ["", "", ""]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / rows[1]["photo"])), sample(1).signals["image"])
    assert len(cells(folder / SEEN)) == 2
    given = TABLE.options(None)
    roles = dict(zip((name.removeprefix("--") for name in given[::2]), given[1::2], strict=True))
    assert roles.pop("kind") == "classification"
    options: Any = {role: column if role in ("id", "split", "group") else [column] for role, column in roles.items()}
    columns = guess_columns(open_table(folder / FILE), ColumnOptions(**options)).columns
    assert {role: list(columns.of(role)) for role in roles} == {role: [column] for role, column in roles.items()}


def test_classical_columns_solve_a_table_that_is_easy(folder: Path, tmp_path: Path) -> None:
    rows = read_rows(TABLE, folder)
    read = modalities(rows, None, tmp_path)
    assert {name: list(each.present[:3]) for name, each in read.items()} == {
        "image": [False, True, True],
        "audio": [True, False, True],
        "text": [True, True, False],
    }
    found = classical_columns(rows, read)
    assert {"image", "audio", "text", "side by side", "added", "trees", "image+text added"} <= set(found)
    for variant, splits in (("train", {"valid", "test", "seen"}), ("train+valid", {"test", "seen"})):
        assert all(set(column[variant]) == splits for column in found.values())
        assert found["side by side"][variant]["test"]["accuracy"] == 1
        assert found["added"][variant]["test"]["accuracy"] == 1
        assert found["image"][variant]["test"]["accuracy"] < 1  # of rows without a picture nothing is known
    again = modalities(rows, None, tmp_path)  # kept
    assert all(np.array_equal(again[name].values, each.values) for name, each in read.items())


def some_rows(target: Sequence[Any], kind: str) -> Rows:
    splits = np.array(["train"] * 30 + ["valid"] * 10 + ["test"] * 10)
    table = SmallTable(name="some", source="none", content="some", target="y", kind=kind)
    return Rows(table=table, folder=Path(), cells={}, split=splits, target=np.array(target))


def test_the_span_of_the_training_rows_gives_the_same_answers() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 80)).astype(np.float32)
    rows = some_rows(["ab"[each] for each in (values[:, 0] > 0).astype(int)], "classification")
    train = rows.of("train")
    narrow, answers = spanned(values, train), Classes("ab")
    assert narrow.shape[1] <= 30
    expected, found = (
        answers.outputs(answers.linear(0.1).fit(each[train], rows.target[train]), each) for each in (values, narrow)
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_absent_modalities_are_the_mean_and_an_indicator() -> None:
    rng = np.random.default_rng(0)
    values, present = rng.standard_normal((50, 3)).astype(np.float32), np.arange(50) % 4 > 0
    rows = some_rows(list("ab" * 25), "classification")
    made = side_by_side([Modality(values, present)], rows.of("train"))
    np.testing.assert_array_equal(made[~present], [[0, 0, 0, 1]] * int((~present).sum()))
    np.testing.assert_allclose(made[rows.of("train") & present].mean(0), 0, atol=1e-6)


def test_a_little_loss_at_small_strengths_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([2.0, 2.01, 2.02, 2.03, 2.04, 1.5, 1.0, 1.05, 1.2, 0.5])
    monkeypatch.setattr(Classes, "loss", lambda *_: next(losses))
    rows = some_rows(list("ab" * 25), "classification")
    values = np.arange(50, dtype=np.float32)[:, None]
    strength, _ = linear(rows, Classes("ab"), [Modality(values, np.ones(50, dtype=bool))])
    assert strength == STRENGTHS[6]
    assert next(losses) == 0.5  # not reached


def test_numbers_are_fitted_by_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 3)).astype(np.float32)
    rows = some_rows((2 * values[:, 1] + 1).tolist(), "regression")
    everywhere = np.ones(50, dtype=bool)
    strength, outputs = linear(rows, Numbers(), [Modality(values, everywhere)])
    assert strength == 100
    assert Numbers().metrics(outputs["train"][40:], rows.target[40:])["r2"] > 0.999


def test_calibration_error_of_answers_is_by_hand() -> None:
    outputs = np.log([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    metrics = Classes("ab").metrics(outputs, np.array(["a", "b", "b", "b"]))
    assert metrics["accuracy"] == 0.75
    assert metrics["ece"] == pytest.approx((0.4 * 2 + 0.4 * 2) / 4)


def test_features_of_pictures_and_sounds() -> None:
    side = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (96, 1))
    along, down = (oriented_gradients(each).reshape(49, 4, 9).sum((0, 1)) for each in (side, side.T))
    assert (along.argmax(), down.argmax()) == (0, 4)  # 0 and 90 degrees
    short, long = (sound_features(np.ones(frames, dtype=np.float32), 8000) for frames in (400, 8000))
    assert short.shape == long.shape == (261,)
    assert np.isfinite(short).all()


def test_a_run_that_is_kept_is_not_repeated(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fitted(*_: object, seed: int, options: Sequence[str], **__: object) -> dict[str, Any]:
        calls.append((seed, list(options)))
        return {"seconds": 1.0, "metrics": {"test": {"accuracy": 0.5}}, "members": {}}

    monkeypatch.setattr(small_tables, "run_fit", fitted)
    words = ["--work", str(tmp_path), "--out", str(tmp_path / "r.json"), "--seeds", "0", "1", "--preset", "fast"]
    arguments = small_tables.parsed([*words, "--", "--epochs", "5"])
    record = Record(arguments.out)
    first = small_tables.runs(TABLE, folder, arguments, record)
    assert small_tables.runs(TABLE, folder, arguments, Record(arguments.out)) == first
    assert calls == [(seed, ["--preset", "fast", "--epochs", "5"]) for seed in (0, 1)]
    arguments.options = []
    small_tables.runs(TABLE, folder, arguments, record)
    assert len(calls) == 4
    assert len(json.loads(arguments.out.read_text())["runs"]) == 4


def test_figures_are_differences_in_points() -> None:
    def column(train: float, both: float) -> dict[str, Any]:
        return {"train": {"test": {"accuracy": train}}, "train+valid": {"test": {"accuracy": both}}}

    columns = {"image": column(0.5, 0.6), "side by side": column(0.7, 0.65), "image+text added": column(0.8, 0.1)}
    runs = [
        {
            "seconds": seconds,
            "metrics": {"test": {"accuracy": accuracy, "expected_calibration_error": 0.04}},
            "members": {"graph": {"metrics": {"test": {"accuracy": 0.72}}}},
        }
        for seconds, accuracy in ((10.0, 0.7), (20.0, 0.74))
    ]
    row = table_figures(TABLE, columns, runs)
    assert (row["best column"], row["seconds"], row["linear"]) == ("side by side", 20.0, None)
    expected = {"best": 70, "best of all": 80, "blend": 72, "blend - best": 2, "graph - side by side": 2, "ece": 0.04}
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    met = {figure["figure"]: figure["met"] for figure in judged({"tiny": row})}
    assert all(met.values())
    assert len(met) == 4


def test_the_tables_of_the_figures() -> None:
    known = tables()
    assert sum(table.counted for table in known.values()) == 13
    assert len({(table.content, table.pretrained, table.kind) for table in known.values()}) == len(known)
    with pytest.raises(ValueError, match="words_en"):
        small_tables.chosen(small_tables.parsed(["--work", "w", "--only", "word_en"]))
