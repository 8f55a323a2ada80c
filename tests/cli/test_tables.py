"""The command `gnnfuse fit`: its options are the call's, and do what they say."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import gnnfuse
from gnnfuse.cli import answers, cache
from gnnfuse.cli import fit as fit_command
from gnnfuse.encoders import Encoders
from gnnfuse.tables import ColumnOptions, OpenOptions
from gnnfuse.workflow import FitOptions, default_config
from tests.conftest import Run

SMALL = ("--model", "graph", "--dim", 8, "--depth", 1, "--epochs", 1, "--device", "cpu")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Forty rows of two classes, their word and, in a file beside, the same word."""
    lines = ["word,file,label"]
    for number in range(40):
        word = ("yes", "no")[number % 2]
        (tmp_path / f"{number}.txt").write_text(word)
        lines.append(f"{word} {number},{number}.txt,{word}")
    (tmp_path / "words.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "words.csv"


def refused(found: tuple[int, str, str], *parts: str) -> None:
    """One line on standard error, exit code 2."""
    code, _, told = found
    assert (code, len(told.strip().splitlines())) == (2, 1), told
    for part in parts:
        assert part in told


def parameters(call: Callable[..., object]) -> dict[str, Any]:
    return {name: found.default for name, found in inspect.signature(call).parameters.items()}


def fields_of(kind: Any) -> dict[str, Any]:
    return {field.name: None if field.default is MISSING else field.default for field in fields(kind)}


def flat(call: dict[str, Any]) -> dict[str, Any]:
    """Options of a command, from the arguments of its call: those that are dataclasses are several options."""
    encoders = fields_of(Encoders)
    named = {f"{kind}_encoder": encoders.pop(kind) for kind in ("image", "audio", "text")}
    groups = {"columns": fields_of(ColumnOptions), "opening": fields_of(OpenOptions), "encoders": {**encoders, **named}}
    groups["opening"]["blank"] = groups["opening"].pop("blanks")
    for name, group in groups.items():
        if name in call:
            del call[name]
            call |= group
    return call


def test_the_command_has_every_option_of_the_call_with_its_default() -> None:
    call = flat({**vars(default_config()), **fields_of(FitOptions), **parameters(gnnfuse.fit)})
    call["minutes"], call["log"] = call.pop("seconds"), call.pop("logs") or None  # as they are called there
    for name in ("options", "config", "observer", "progress"):  # objects, and what the terminal does itself
        del call[name]
    found = parameters(fit_command.fit)
    assert found.pop("threads") is None  # of the process, which a call leaves alone
    found["fractions"] = fit_command._fractions(found["fractions"])
    assert found == call


@pytest.mark.parametrize("name", ["predict", "embed"])
def test_commands_that_answer_have_the_options_of_their_calls(name: str) -> None:
    call = flat(parameters(getattr(gnnfuse, name)))
    for own in ("note", "classes", "observer"):  # for tasks that are no folder, own classes, and the terminal
        del call[own]
    assert parameters(getattr(answers, name)) == {**call, "threads": None}


def test_the_cache_command_has_the_options_of_its_call() -> None:
    call = flat(parameters(gnnfuse.cache))
    call["out"] = call.pop("folder")
    others = ("fine_tune", "cache", "cache_dtype")  # of encoders, in training
    roles = ("text_file", "rows", "features", "target", "id", "split", "group")
    for name in (*others, *roles, "observer"):
        del call[name]
    call["workers"] = 2  # a script without a main guard could not start processes
    assert parameters(cache.cache) == {**call, "threads": None}


def test_fractions_are_kept_and_told(words: Path, run: Run) -> None:
    out = words.parent / "model"
    code, shown, told = run("fit", words, "--out", out, *SMALL, "--fractions", "0.5,0.3,0.2")
    assert code == 0, told
    rule = "by rule, 50% train, 30% valid, 20% test, stratified"
    assert f"rows: 20 train, 12 valid, 8 test; {rule}" in shown
    splits = json.loads((out / "results.json").read_text())["splits"]
    assert splits["rule"].startswith(rule)
    assert splits["fractions"] == [0.5, 0.3, 0.2]
    assert [splits[name] for name in ("train", "valid", "test")] == [20, 12, 8]
    assert rule in (out / "report.md").read_text()


def test_a_split_column_takes_fractions_for_validation_only(words: Path, run: Run) -> None:
    head, *lines = words.read_text().splitlines()
    parts = ["test" if number < 10 else "train" for number in range(40)]
    rows = [f"{line},{part}" for line, part in zip(lines, parts, strict=True)]
    words.write_text("\n".join([f"{head},part", *rows]))
    out = words.parent / "model"
    asked = ("fit", words, "--out", out, *SMALL, "--split", "part", "--fractions", "0.5,0.25,0.25")
    assert run(*asked)[0] == 0
    splits = json.loads((out / "results.json").read_text())["splits"]
    assert [splits[name] for name in ("train", "valid", "test")] == [20, 10, 10]
    assert splits["fractions"] == pytest.approx([2 / 3, 1 / 3, 0])


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("0.8,0.2", "found --fractions '0.8,0.2', expected three numbers between commas"),
        ("a lot", "found --fractions 'a lot', expected three numbers between commas"),
        ("70,15,15", "found fractions (70.0, 15.0, 15.0), expected three shares"),
        ("1.2,-0.1,-0.1", "expected three shares"),
        ("nan,0.5,0.5", "expected three shares"),
        ("0.9,0,0.1", "found no validation rows (by rule, 90% train, 10% test, stratified"),
    ],
)
def test_fractions_that_are_no_shares_are_refused(words: Path, run: Run, written: str, part: str) -> None:
    out = words.parent / "model"
    refused(run("fit", words, "--out", out, *SMALL, "--fractions", written), part)
    assert not (out / "config.json").exists()


def test_columns_can_be_given_and_taken_away(words: Path, run: Run) -> None:
    out = words.parent / "model"
    code, _, told = run("fit", words, "--out", out, *SMALL, "--text", "", "--text-file", "file")
    assert code == 0, told
    columns = json.loads((out / "results.json").read_text())["columns"]
    assert columns == {"text_file": ["file"], "target": ["label"]}


def test_ctrl_c_says_how_to_go_on(words: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnfuse.workflow import fit_table

    def cut(task: object, train: object, valid: object, config: Any, **_: object) -> None:
        config.out.mkdir(parents=True, exist_ok=True)
        (config.out / f"checkpoint-000001-{'a' * 16}.ckpt").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_table, "fit_task", cut)
    out = words.parent / "model"
    code, shown, _ = run("fit", words, "--out", out, *SMALL)
    assert code == 130
    assert f"interrupted; {out / 'checkpoints'} holds a checkpoint: the same command with --resume continues" in shown
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["fit", "predict", "cache", "bench"])
def test_the_text_of_help_flows(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A line that is followed by another of its paragraph is full."""
    code, shown, _ = run(name, "--help")
    assert code == 0
    (text,) = re.findall(r"Usage:.*?\n(.*?)\u256d", shown, flags=re.DOTALL)
    lines = [line.strip() for line in text.splitlines()]
    for line, following in pairwise(lines):
        assert not (line and following) or len(line) + len(following.split()[0]) > 190, (line, following)


def test_numbers_of_training_reach_it(words: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnfuse.workflow import fit_table

    found: list[Any] = []

    def caught(task: object, train: object, valid: object, config: object, **_: object) -> None:
        found.append(config)
        raise ValueError("far enough")

    monkeypatch.setattr(fit_table, "fit_task", caught)
    given = ("--warmup", 0.3, "--clip", 2, "--every-seconds", 0, "--patience", 0)
    for more in ((), given):
        run("fit", words, "--out", words.parent / "model", *SMALL, *more)
    usual, told = found
    assert (usual.warmup, usual.clip, usual.every_seconds, usual.patience) == (0.1, 1.0, 300.0, 15)
    assert (told.warmup, told.clip, told.every_seconds, told.patience) == (0.3, 2.0, None, None)


@pytest.mark.parametrize("more", [(), ("--streaming",)])
def test_two_processes_write_one_model(words: Path, more: tuple[str, ...]) -> None:
    out = words.parent / "model"
    asked = ("fit", words, "--out", out, *SMALL, "--text", "word", "--devices", 2, "--strategy", "ddp", *more)
    command = [sys.executable, "-m", "gnnfuse", *map(str, asked)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    assert set(json.loads((out / "results.json").read_text())["metrics"]) == {"valid", "test"}
    assert (out / "model.safetensors").exists()
