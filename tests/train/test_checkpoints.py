import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from gnnfuse.sample import Sample
from gnnfuse.tasks import Task
from gnnfuse.testing.global_state import unchanged_globals
from gnnfuse.train import FitConfig, FitReport, fit_task
from gnnfuse.train.checkpoint_files import newest, next_path, numbered, tidy
from gnnfuse.train.checkpoint_io import CheckpointFiles
from gnnfuse.train.random_states import isolated_random, random_states, set_random_states
from tests.full_disk import full_disk
from tests.train.life_server import Words, task

CPU = torch.device("cpu")
WORDS = Words(26)
TRAIN, VALID = [WORDS(number) for number in range(26)], [WORDS(number) for number in range(8)]
STEPS = 7  # per epoch


def config(out: Path | None, **other: Any) -> FitConfig:
    given: dict[str, Any] = {"epochs": 3, "batch_size": 4, "device": "cpu", "progress": False, "patience": None}
    kept = {} if out is None else {"out": out, "resume": True, "every_seconds": 1e-9}
    return FitConfig(**(given | kept | other))


def train(out: Path | None, *callbacks: Callback, **other: Any) -> tuple[FitReport, Task]:
    trained = task()
    return fit_task(trained, TRAIN, VALID, config(out, **other), callbacks=callbacks), trained


def same(one: Task, two: Task) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


class At(Callback):
    """Does something at a training step."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.step, self.act = step, act

    def on_train_batch_start(self, trainer: Any, pl_module: object, batch: object, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            self.act()


def ask(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def cut(out: Path, step: int = 10) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(out, At(step, ask(signal.SIGINT)), every_seconds=None)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
@pytest.mark.parametrize("step", [10, 2 * STEPS - 1])
def test_a_request_to_end_is_answered_with_a_checkpoint(
    tmp_path: Path, number: signal.Signals, error: type[BaseException], step: int
) -> None:
    whole, expected = train(None)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(error) as stopped:
        train(tmp_path, At(step, ask(number)), every_seconds=None)
    assert getattr(stopped.value, "code", 143) == 143
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    kept = torch.load(numbered(tmp_path)[-1][1], weights_only=True)
    assert kept["global_step"] == step + 1  # the step was finished
    report, resumed = train(tmp_path)
    assert same(resumed, expected)
    assert [{**epoch, "seconds": 0} for epoch in report.history] == [{**epoch, "seconds": 0} for epoch in whole.history]
    assert (report.samples, report.epochs) == (whole.samples, whole.epochs)


def test_a_checkpoint_holds_tensors_and_plain_values_only(tmp_path: Path) -> None:
    cut(tmp_path)
    path = newest(tmp_path)
    assert path is not None
    kept = torch.load(path, weights_only=True)  # raises where anything would have to be unpickled
    assert kept["place"] == {"epoch": 1, "done": 4}
    states = kept["processes"][0]["random"]
    assert all(isinstance(state, torch.Tensor) for state in states.values())
    assert {"python", "numpy", "torch"} <= states.keys()


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "a flipped bit":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if how == "cut off" else content)


@pytest.mark.parametrize("how", ["a flipped bit", "cut off"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_taken(tmp_path: Path, how: str) -> None:
    _, expected = train(None)
    cut(tmp_path)
    (_, before), (_, last) = numbered(tmp_path)
    damage(last, how)
    with pytest.warns(UserWarning, match=rf"{last.name}: damaged, found content with digest"):
        _, resumed = train(tmp_path)
    assert same(resumed, expected)
    assert last.with_name(last.name + ".damaged").exists()
    assert before != last


def test_where_all_are_damaged_nothing_begins(tmp_path: Path) -> None:
    cut(tmp_path)
    for _, path in numbered(tmp_path):
        damage(path, "cut off")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="every checkpoint is damaged"):
        train(tmp_path)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"learning_rate": 0.001}, r"found learning_rate 0\.001, expected 0\.002"),
        ({"epochs": 4}, "found epochs 4, expected 3"),
        ({"seed": 1, "batch_size": 5}, "found batch_size 5, expected 4, found seed 1, expected 0"),
    ],
)
def test_a_changed_config_is_told(tmp_path: Path, other: dict[str, Any], told: str) -> None:
    cut(tmp_path)
    with pytest.raises(ValueError, match=told):
        train(tmp_path, **other)


def test_changed_data_and_a_changed_model_are_told(tmp_path: Path) -> None:
    cut(tmp_path)
    with pytest.raises(ValueError, match="found number of training samples 25, expected 26"):
        fit_task(task(), TRAIN[:-1], VALID, config(tmp_path))
    other = [Sample({**sample.signals, "text": "elk"}, sample.target, sample.id) for sample in VALID]
    with pytest.raises(ValueError, match="found another set of validation samples than expected"):
        fit_task(task(), TRAIN, other, config(tmp_path))
    larger = task()
    larger.head = torch.nn.Sequential(larger.head, torch.nn.Linear(4, 4))
    with pytest.raises(ValueError, match="found another task than expected"):
        fit_task(larger, TRAIN, VALID, config(tmp_path))


def test_what_changes_no_number_may_change(tmp_path: Path) -> None:
    _, expected = train(None)
    cut(tmp_path)
    _, resumed = train(tmp_path, workers=1, every_seconds=None, logs=("csv",))
    assert same(resumed, expected)


def test_a_folder_with_checkpoints_is_not_written_over(tmp_path: Path) -> None:
    cut(tmp_path)
    with pytest.raises(ValueError, match="found checkpoints of an earlier run, expected none; continue it"):
        train(tmp_path, resume=False)


def test_a_run_whose_time_was_over_does_not_go_on(tmp_path: Path) -> None:
    first, _ = train(tmp_path, seconds=0.3, epochs=100_000, every_seconds=None)
    again, _ = train(tmp_path, seconds=0.3, epochs=100_000, every_seconds=None)
    assert again.stopped == first.stopped == "seconds"
    assert again.history == first.history


def test_a_run_that_gave_up_does_not_go_on(tmp_path: Path) -> None:
    first, one = train(tmp_path, epochs=60, patience=2)
    again, two = train(tmp_path, epochs=60, patience=2)
    assert again.stopped == first.stopped == "patience"
    assert again.history == first.history
    assert same(one, two)


class Draws(Callback):
    """Draws from every global generator in every step, as a layer of a user's own might."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float, float, float]] = []

    def on_train_batch_start(self, *_: object) -> None:
        numbers = (random.random(), random.gauss(0, 1), float(np.random.normal()), float(torch.rand(1)))  # noqa: NPY002
        self.drawn.append(numbers)


def test_random_states_go_on_and_the_processs_own_are_as_before(tmp_path: Path) -> None:
    whole, first, rest = Draws(), Draws(), Draws()
    with unchanged_globals("training, cutting off and resuming"):
        train(None, whole)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, first, At(10, ask(signal.SIGINT)))
        train(tmp_path, rest, logs=("csv", "tensorboard"))
    assert whole.drawn == first.drawn + rest.drawn


def test_random_states_are_put_back_with_half_used_pairs() -> None:
    with isolated_random(3, CPU):
        random.gauss(0, 1)  # draws two, keeps one
        np.random.normal()  # noqa: NPY002 - the same
        states = random_states(CPU)
        first = (random.gauss(0, 1), float(np.random.normal()), random.random(), float(torch.rand(1)))  # noqa: NPY002
        set_random_states(states, CPU)
        again = (random.gauss(0, 1), float(np.random.normal()), random.random(), float(torch.rand(1)))  # noqa: NPY002
    assert first == again


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CheckpointFiles()
    for number in range(3):
        files.save_checkpoint({"number": number}, next_path(tmp_path))
    kept = numbered(tmp_path)
    assert [number for number, _ in kept] == [2, 3]

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.save_checkpoint({"number": 3}, next_path(tmp_path))
    assert sorted(tmp_path.iterdir()) == [path for _, path in kept]
    assert files.load_checkpoint(kept[-1][1]) == {"number": 2}


def test_a_full_disk_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    with full_disk(1000), pytest.raises(OSError, match=re.escape(str(tmp_path))):
        CheckpointFiles().save_checkpoint({"weights": torch.zeros(100_000)}, next_path(tmp_path))
    assert not list(tmp_path.iterdir())


def test_what_was_half_written_is_removed_and_numbers_go_on(tmp_path: Path) -> None:
    (tmp_path / f".unfinished-{'0' * 32}").write_text("half")
    CheckpointFiles().save_checkpoint({}, next_path(tmp_path))
    tidy(tmp_path)
    assert [path.name[:17] for path in tmp_path.iterdir()] == ["checkpoint-000001"]
    assert newest(tmp_path / "nowhere") is None


def frozen_task() -> Task:
    """One whose encoders are not trained."""
    made = task()
    for name, parameter in made.named_parameters():
        parameter.requires_grad_("encoders" not in name)
    return made


def test_checkpoints_hold_what_is_trained_only_and_go_on_with_the_same_frozen_weights(tmp_path: Path) -> None:
    whole, resumed, other = frozen_task(), frozen_task(), frozen_task()
    fit_task(whole, TRAIN, VALID, config(None))
    stop = At(10, ask(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        fit_task(frozen_task(), TRAIN, VALID, config(tmp_path, every_seconds=None), callbacks=[stop])
    kept = torch.load(numbered(tmp_path)[-1][1], weights_only=True)
    best = next(state for state in kept["callbacks"].values() if "weights" in state)
    for state in (kept["state_dict"], best["weights"]):
        assert state
        assert not [name for name in state if "encoders" in name]
    with torch.no_grad():
        next(parameter for parameter in other.parameters() if not parameter.requires_grad).add_(1)
    with pytest.raises(ValueError, match="belongs to another run: found another set of frozen weights than expected;"):
        fit_task(other, TRAIN, VALID, config(tmp_path))
    fit_task(resumed, TRAIN, VALID, config(tmp_path))
    assert same(resumed, whole)
