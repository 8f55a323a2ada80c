"""Two processes with half of each step train as one process with the whole of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.train.server_process import ROOT, Ask, server_process

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STEPS, EPOCHS, SAMPLES = 7, 15, 49  # 6 steps of 8 samples and one of 1: for it the second process has none


@pytest.fixture(scope="module")
def train() -> Iterator[Ask]:
    with server_process("tests.train.ranks_server") as ask:
        yield ask


def run(train: Ask, processes: int, *, kind: str, **other: Any) -> list[dict[str, Any]]:
    config = {"devices": processes, "epochs": EPOCHS, "shuffle_buffer": 1, **other.pop("config", {})}
    found: list[dict[str, Any]] = train(kind=kind, processes=processes, config=config, **other)["ranks"]
    return found


@pytest.mark.parametrize("kind", ["sequence", "stream"])
def test_two_processes_follow_the_loss_of_one(train: Ask, kind: str) -> None:
    (alone,), pair = run(train, 1, kind=kind), run(train, 2, kind=kind)
    together = [(first + second) / 2 for first, second in zip(*(rank["losses"] for rank in pair), strict=True)]
    assert len(together) == EPOCHS * STEPS >= 100
    worst = max(abs(one - two) for one, two in zip(alone["losses"], together, strict=True))
    print(f"{kind}: the losses of {len(together)} steps differ by {worst:.1e} at most")
    assert worst < 1e-5
    for one, two, other in zip(alone["history"], pair[0]["history"], pair[1]["history"], strict=True):
        assert two == other
        assert two == pytest.approx(one, abs=1e-5)  # validation counts each of its 13 samples once
    assert pair[0]["samples"] == alone["samples"] == EPOCHS * SAMPLES
    assert pair[0]["seed"] == alone["seed"] != pair[1]["seed"]  # dropout differs between the processes


def test_an_objective_over_the_batch_is_learned_alike_however_a_step_is_divided(train: Ask) -> None:
    (alone,) = run(train, 1, kind="sequence", objectives="batch", config={"epochs": 3})
    (plain,) = run(train, 1, kind="sequence", config={"epochs": 3})
    assert max(abs(one - two) for one, two in zip(alone["weights"], plain["weights"], strict=True)) > 0.01
    for processes, accumulate in ((1, 2), (2, 1), (2, 2)):
        config = {"epochs": 3, "accumulate": accumulate}
        parts = run(train, processes, kind="sequence", objectives="batch", config=config)
        assert parts[0]["weights"] == pytest.approx(alone["weights"], abs=1e-4)
        assert parts[0]["weights"] == parts[-1]["weights"]


@pytest.mark.parametrize("kind", ["sequence", "stream"])
@pytest.mark.parametrize("other", [{}, {"accumulate": 2}, {"workers": 2}])
def test_every_sample_is_seen_once_per_epoch_by_one_of_them(train: Ask, kind: str, other: dict[str, Any]) -> None:
    pair = run(train, 2, kind=kind, config={"epochs": 1, "shuffle_buffer": 6, **other})
    seen = [name for rank in pair for name in rank["seen"]]
    assert sorted(seen, key=int) == [str(number) for number in range(SAMPLES)]
    assert min(len(rank["seen"]) for rank in pair) >= SAMPLES // 2 - 4


def test_a_process_that_never_sees_audio_stops_nobody(train: Ask) -> None:
    pair = run(train, 2, kind="stream", config={"epochs": 2})
    assert [rank["audio"] for rank in pair] == [2 * 25, 0]
    assert pair[0]["weights"] == pair[1]["weights"]


def test_fewer_samples_than_processes_are_no_obstacle(train: Ask) -> None:
    for kind in ("sequence", "stream"):
        (alone,), pair = (run(train, n, kind=kind, samples=1, config={"epochs": 3}) for n in (1, 2))
        assert [rank["seen"] for rank in pair] == [["0", "0", "0"], []]
        assert pair[0]["losses"] == pytest.approx([2 * loss for loss in alone["losses"]], abs=1e-5)
        assert pair[0]["weights"] == pair[1]["weights"]


@pytest.mark.parametrize("kind", ["sequence", "stream"])
def test_both_write_a_checkpoint_and_leave_when_one_is_asked_to_and_go_on_bit_identically(
    train: Ask, tmp_path: Path, kind: str
) -> None:
    """With dropout: each process has random states of its own."""
    kept = {"epochs": 3, "out": str(tmp_path), "resume": True, "shuffle_buffer": 6}
    whole = run(train, 2, kind=kind, dropout=0.3, config={"epochs": 3, "shuffle_buffer": 6})
    assert run(train, 2, kind=kind, dropout=0.3, signal_at=[1, 10], config=kept) == [{"exit": 143}, {"exit": 143}]
    rest = run(train, 2, kind=kind, dropout=0.3, config=kept)
    for rank, resumed in zip(whole, rest, strict=True):
        assert resumed["losses"] == rank["losses"][11:]  # the step the request came in was finished
        assert [resumed[name] for name in ("history", "weights")] == [rank[name] for name in ("history", "weights")]
    assert whole[0]["losses"] != whole[1]["losses"]


def test_a_table_is_fitted_saved_and_measured_by_the_first_though_the_second_has_left(
    train: Ask, tmp_path: Path
) -> None:
    first, second = train(kind="table", processes=2, out=str(tmp_path))["ranks"]
    assert second["metrics"] == {}
    assert sorted(first["metrics"]) == ["test", "valid"]
    assert first["metrics"]["valid"]["accuracy"] == pytest.approx(first["best"]["valid_accuracy"])
    assert {"config.json", "table.json", "results.json", "report.md"} <= {path.name for path in tmp_path.iterdir()}


def test_a_forked_run_brings_back_what_it_found(train: Ask) -> None:
    """What a notebook does: the process that called `fit` trains nothing itself."""
    pair = run(train, 2, kind="sequence", config={"epochs": 2})
    (caller,) = train(kind="sequence", processes=1, config={"epochs": 2, "devices": 2, "strategy": "ddp_notebook"})[
        "ranks"
    ]
    assert caller["seen"] == []
    assert [caller[name] for name in ("history", "samples", "weights")] == [
        pair[0][name] for name in ("history", "samples", "weights")
    ]


SCRIPT = """
import os
import sys
from tests.train.ranks_server import train

if __name__ == "__main__":
    found = train({"kind": "sequence", "samples": 9, "config": {"epochs": 1, "devices": 2}})
    # One write: the pieces of a print could stand between those of the other process.
    sys.stdout.write(f"{os.environ['LOCAL_RANK']} {found['samples']} {sum(found['weights'])}\\n")
"""


def test_a_plain_script_is_run_again_for_the_second_device(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    found = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    first, second = sorted(line.split() for line in found.stdout.splitlines())
    assert (first[0], second[0]) == ("0", "1")
    assert first[1:] == second[1:]
