"""Training warns where its threads wait for cores and spin meanwhile."""

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gnnfuse.train import callbacks

CPU: Any = SimpleNamespace(device=torch.device("cpu"))
NOTHING: Any = None

pytestmark = pytest.mark.usefixtures("unchecked")  # stand-ins for Lightning's objects


def told(monkeypatch: pytest.MonkeyPatch, *, share: float, threads: int = 2, spins: bool = True) -> list[str]:
    """What is said in four steps of a second each, of which three are looked at."""
    monkeypatch.setattr(callbacks, "core_times", lambda: (0, 0))
    monkeypatch.setattr(callbacks, "crowded", lambda before: share)
    monkeypatch.setattr(callbacks, "spinning", lambda: spins)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    seconds = iter(range(100))
    watch = callbacks.BusyCores(3.0, clock=lambda: float(next(seconds)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        watch.on_train_start(NOTHING, CPU)
        for step in range(6):
            watch.on_train_batch_end(NOTHING, CPU, None, NOTHING, step)
    return [str(each.message) for each in said]


def test_threads_that_wait_for_cores_are_told_once_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = told(monkeypatch, share=0.4)
    assert line.startswith("the cores are busy: threads of this run waited for one 40% of the time")
    assert "export GOMP_SPINCOUNT=" in line


@pytest.mark.parametrize("given", [{"share": 0.1}, {"share": 0.4, "threads": 1}, {"share": 0.4, "spins": False}])
def test_nothing_is_said_where_nothing_is_wrong(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, **given) == []
