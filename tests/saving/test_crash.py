"""A save that is killed leaves the old model or the new one, and nothing keeps the next save from working."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gnnfuse.saving import folder as saving_folder
from gnnfuse.saving import from_pretrained, save_pretrained
from gnnfuse.saving.folder import WEIGHTS
from tests.full_disk import full_disk
from tests.saving.models import few_samples, small_task

STEPS = 10  # renames and flushes of one save, at least; beyond the last one nothing is cut off

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills a forked child")


def output(folder: Path) -> Tensor:
    loaded = from_pretrained(folder)
    with torch.no_grad():
        found: Tensor = loaded(small_task().builder(few_samples(), empty=True))
        return found


def killed_before(step: int, save: Callable[[], None]) -> bool:
    """Save in a child that dies, as by SIGKILL, before its so-manieth rename or flush; whether it died."""
    child = os.fork()
    if child == 0:
        left = [step]

        def dying(function: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return function(*arguments)

            return call

        os.replace, os.fsync = dying(os.replace), dying(os.fsync)  # type: ignore[assignment]
        save()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_crash_at_any_step_leaves_one_of_the_two(tmp_path: Path) -> None:
    save_pretrained(small_task(seed=1), tmp_path / "old")
    save_pretrained(small_task(seed=2, dim=16), tmp_path / "new")
    old, new = output(tmp_path / "old"), output(tmp_path / "new")
    seen = []
    for step in range(STEPS + 5):
        folder = tmp_path / f"step{step}"
        save_pretrained(small_task(seed=1), folder)
        died = killed_before(step, lambda folder=folder: save_pretrained(small_task(seed=2, dim=16), folder))  # type: ignore[misc]
        found = output(folder)
        assert any(torch.equal(found, whole) for whole in (old, new)), step
        seen.append((died, torch.equal(found, new)))
        save_pretrained(small_task(seed=1), folder)
        assert torch.equal(output(folder), old)
        assert not list(folder.glob("*.waiting.*")), step
        assert not list(folder.glob(".*")), step
    changes = [is_new for died, is_new in seen if died]
    assert len(changes) >= STEPS - 2
    assert changes == sorted(changes)  # old up to one step, new from there on
    assert False in changes
    assert True in changes
    assert seen[-1] == (False, True)


def test_a_save_of_another_process_in_between_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading the config and the weights, somebody saves another model into the folder."""
    save_pretrained(small_task(seed=1), tmp_path)
    save_pretrained(small_task(seed=2), tmp_path / "other")
    saved = [False]
    find = saving_folder.weights_path

    def slow(folder: Path, digest: str) -> Path:
        if not saved[0]:
            saved[0] = True
            save_pretrained(small_task(seed=2), tmp_path)
        return find(folder, digest)

    monkeypatch.setattr("gnnfuse.saving.pretrained.weights_path", slow)
    assert torch.equal(output(tmp_path), output(tmp_path / "other"))


def test_two_processes_that_save_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all ranks of a distributed run do: the other one has renamed the weights already."""
    replace = os.replace

    def faster(source: Path, target: Path) -> None:
        replace(source, target)
        if Path(source).name == "config.json":
            (waiting,) = tmp_path.glob("*.waiting.*")
            replace(waiting, tmp_path / WEIGHTS)

    monkeypatch.setattr(os, "replace", faster)
    save_pretrained(small_task(), tmp_path)
    monkeypatch.undo()
    assert torch.equal(output(tmp_path), small_task()(small_task().builder(few_samples(), empty=True)))


def test_a_full_disk_leaves_the_old_model_and_names_the_folder(tmp_path: Path) -> None:
    save_pretrained(small_task(seed=1), tmp_path)
    old = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for most in (1000, (tmp_path / "config.json").stat().st_size + 1000):  # at the config, at the weights
        with full_disk(most), pytest.raises(OSError, match=re.escape(str(tmp_path))):
            save_pretrained(small_task(seed=2, dim=16), tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == old
        assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_files_of_another_program_are_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=rf"{name}: found a file that gnnfuse did not write, which would be replaced"):
        save_pretrained(small_task(), tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "{}")]
