import json
import subprocess
import sys
from pathlib import Path

import pytest

GNNFUSE = [sys.executable, "-m", "gnnfuse.cli"]


def run(*words: str, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GNNFUSE, *words], cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def refused(finished: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One line on standard error, exit code 2, no traceback."""
    assert finished.returncode == 2, finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
    assert finished.stderr.startswith("error: ")
    for part in parts:
        assert part in finished.stderr


def test_bench_prints_a_table_and_writes_everything(tmp_path: Path) -> None:
    finished = run("bench", "--quick", "--models", "unimodal:image", "--device", "cpu", "--out", "found", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    head, row = [line for line in finished.stdout.splitlines() if line.startswith(("model ", "unimodal:image "))][:2]
    assert head.split()[:4] == ["model", "family", "test", "accuracy"]
    assert row.split()[:2] == ["unimodal:image", "unimodal"]
    written = json.loads((tmp_path / "found" / "results.json").read_text())
    assert f"{written['rows'][0]['test']['accuracy']:.3f}" == row.split()[2]
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {"results.json", "report.md", "accuracy.png", "curves.png", "speed.png", "groups.png"}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("bench", "--task", "digit"), ("unknown benchmark 'digit'", "did you mean 'digits'")),
        (("bench", "--models", "graf"), ("unknown model 'graf'", "'graph'")),
        (("bench", "--device", "gpu"), ("unknown device 'gpu'",)),
        (("bench", "--minutes", "0"), ("minutes",)),
        (("bench", "--task", "picture_words", "--data", "nowhere"), ("nowhere", "GNNFUSE_DATA")),
        (("draw",), ("nothing to draw",)),
        (("draw", "--task", "digits", "--sample", "none"), ("no validation sample 'none'",)),
        (("draw", "--image", "missing.png"), ("missing.png", "'image'")),
    ],
)
def test_wrong_input_is_one_line(words: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path) -> None:
    refused(run(*words, cwd=tmp_path), *parts)


def test_draw_writes_a_picture_of_a_task_sample_and_of_ones_own(tmp_path: Path) -> None:
    assert run("draw", "--task", "digits", "--sample", "3", "--out", "task.png", cwd=tmp_path).returncode == 0
    assert run("draw", "--text", "a cat", "--out", "own.svg", cwd=tmp_path).returncode == 0
    assert (tmp_path / "task.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "own.svg").read_text()


def test_names_lists_every_kind(tmp_path: Path) -> None:
    finished = run("names", cwd=tmp_path)
    assert finished.returncode == 0
    for word in ("benchmark", "digits", "joint_transformer", "relation_attention"):
        assert word in finished.stdout
