import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gnnfuse.cli import main


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str


Run = Callable[..., Finished]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command line in this process and an empty folder: a new process would spend its time on imports."""

    def call(*words: str) -> Finished:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["gnnfuse", *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


def refused(finished: Finished, *parts: str) -> None:
    """One line on standard error, exit code 2."""
    assert finished.code == 2, finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
    assert finished.stderr.startswith("error: ")
    for part in parts:
        assert part in finished.stderr


def test_bench_prints_a_table_and_writes_everything(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gnnfuse.bench.tasks import digits
    from gnnfuse.data import digits as digits_dataset

    monkeypatch.setattr(digits, "digits_dataset", lambda **_: digits_dataset(train=200, valid=60, test=60))
    finished = run("bench", "--quick", "--models", "unimodal:image", "--device", "cpu", "--out", "found")
    assert finished.code == 0, finished.stderr
    head, row = [line for line in finished.stdout.splitlines() if line.startswith(("model ", "unimodal:image "))][:2]
    assert head.split()[:4] == ["model", "family", "test", "accuracy"]
    assert row.split()[:2] == ["unimodal:image", "unimodal"]
    written = json.loads((tmp_path / "found" / "results.json").read_text())
    assert f"{written['rows'][0]['test']['accuracy']:.3f}" == row.split()[2]
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {"results.json", "report.md", "scores.png", "curves.png", "speed.png", "groups.png"}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("bench", "--task", "digit"), ("unknown benchmark 'digit'", "did you mean 'digits'")),
        (("bench", "--models", "graf", "--models", "concat, graph"), ("unknown model 'graf'", "'graph'")),
        (("bench", "--device", "gpu"), ("unknown device 'gpu'",)),
        (("bench", "--minutes", "0"), ("minutes",)),
        (("bench", "--task", "picture_words", "--data", "nowhere"), ("nowhere", "GNNFUSE_DATA")),
        (("bench", "--models", ","), ("found no models", "graph")),
        (("bench", "--models", "graph:image"), ("'graph' has no variants",)),
        (("bench", "--quick", "--models", "unimodal:[/x]"), ("[/x]",)),
        (("bench", "--minutes", "inf"), ("minutes",)),
        (("draw",), ("nothing to draw",)),
        (("draw", "--task", "digits", "--patch", "3"), ("--patch", "a task's sample")),
        (("draw", "--text", "a", "--sample", "3"), ("--sample", "a sample of your own")),
        (("draw", "--task", "digits", "--sample", "none"), ("no validation sample 'none'",)),
        (("draw", "--image", "missing.png"), ("missing.png", "'image'")),
    ],
)
def test_wrong_input_is_one_line(words: tuple[str, ...], parts: tuple[str, ...], run: Run) -> None:
    refused(run(*words), *parts)


def test_a_fresh_process_exits_with_two_and_no_traceback(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gnnfuse", "bench", "--task", "digit"]
    finished = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    refused(Finished(finished.returncode, finished.stdout, finished.stderr), "did you mean 'digits'")


def test_draw_writes_a_picture_of_a_task_sample_and_of_ones_own(run: Run, tmp_path: Path) -> None:
    assert run("draw", "--task", "digits", "--sample", "3", "--out", "task.png").code == 0
    finished = run("draw", "--text", "a cat", "--out", "[own].svg")
    assert (finished.code, finished.stdout) == (0, "wrote [own].svg\n")
    assert (tmp_path / "task.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "[own].svg").read_text()


@pytest.mark.parametrize("model", ["graph:image", "unimodal:smell"])
def test_a_refused_benchmark_leaves_no_folder(run: Run, tmp_path: Path, model: str) -> None:
    run("bench", "--quick", "--models", model)
    assert not (tmp_path / "runs").exists()


def test_warnings_are_one_line_without_our_code(run: Run) -> None:
    finished = run("draw", "--text", "long " * 200)
    assert finished.code == 0
    assert finished.stderr.startswith("warning: node type 'text': a sample has more nodes than max_nodes")
    assert len(finished.stderr.strip().splitlines()) == 1


def test_names_lists_every_kind(run: Run) -> None:
    finished = run("names")
    assert finished.code == 0
    for word in ("benchmark", "digits", "joint_transformer", "relation_attention"):
        assert word in finished.stdout


@pytest.fixture
def found_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the doctor find one thing of this status."""
    from gnnfuse import diagnosis

    def put(status: Any) -> None:
        finding = diagnosis.Finding("thing", status, "as found [here]", "mend it")
        found = diagnosis.Diagnosis((diagnosis.Section("Versions", (finding,)),))
        monkeypatch.setattr(diagnosis, "doctor", lambda *, quick, observer: observer.says("looking") or found)

    return put


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("broken", 1)])
def test_the_doctor_ends_with_one_where_something_is_broken(
    status: str, code: int, run: Run, found_here: Callable[[str], None]
) -> None:
    found_here(status)
    finished = run("doctor")
    assert finished.code == code
    assert f"  {status:6}  thing  as found [here]" in finished.stdout
    assert "-> mend it" in finished.stdout
    as_json = run("doctor", "--json")
    assert as_json.code == code
    assert json.loads(as_json.stdout)["sections"][0]["findings"][0]["text"] == "as found [here]"
