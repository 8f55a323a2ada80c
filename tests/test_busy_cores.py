"""While other programs want the cores, threads sleep as they wait for each other, and a warning comes once."""

import os
import threading
import warnings

import pytest
import torch

from gnnfuse import busy_cores
from gnnfuse.busy_cores import SleepingTeam, yielding_cores
from gnnfuse.ops.cpu.openmp import openmp_team

BUSY, BETWEEN, FREE = 0.4, 0.1, 0.01


def living(name: str) -> bool:
    return any(thread.name == f"gnnfuse {name}" for thread in threading.enumerate())


def looks(monkeypatch: pytest.MonkeyPatch, *shares: float, threads: int = 2, spins: bool = True) -> list[str]:
    """The warnings where looks find that threads waited for these shares of the time; "kept" if a team sleeps then."""
    coming, over = iter(shares), threading.Event()

    def crowded(_: tuple[int, int], *, seconds: float) -> float:
        share = next(coming, None)
        if share is None:
            over.set()
        return BETWEEN if share is None else share

    monkeypatch.setattr(busy_cores, "openmp_team", lambda: lambda serve, threads: serve())
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(busy_cores, "core_times", lambda: (0, 0))
    monkeypatch.setattr(busy_cores, "crowded", crowded)
    monkeypatch.setattr(busy_cores, "spinning", lambda: spins)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with yielding_cores(every=0.0):
            if living("busy cores"):
                over.wait()
            kept = living("sleeping team")
    assert not living("busy cores")
    assert not living("sleeping team")
    return [str(each.message) for each in warned] + ["kept"] * kept


def test_a_team_sleeps_from_the_first_busy_look_until_cores_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, FREE, BETWEEN) == []
    assert looks(monkeypatch, FREE, BUSY) == ["kept"]
    assert looks(monkeypatch, BUSY, BETWEEN, BETWEEN) == ["kept"]
    assert looks(monkeypatch, BUSY, BETWEEN, FREE, BETWEEN) == []
    assert looks(monkeypatch, BUSY, FREE, BUSY) == ["kept"]


def test_cores_that_stay_busy_are_one_warning_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    line, kept = looks(monkeypatch, *[BUSY] * 20, FREE, *[BUSY] * 20)
    assert kept == "kept"
    assert line.startswith("the cores are busy: threads of this process waited for one 40% of the time")
    assert "export OMP_NUM_THREADS=1" in line
    brief = [BUSY] * (busy_cores.PATIENCE - 1)
    assert looks(monkeypatch, *brief, BETWEEN, *brief) == ["kept"]


def test_nothing_is_done_where_no_thread_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looks(monkeypatch, *[BUSY] * 20, threads=1) == []
    assert looks(monkeypatch, *[BUSY] * 20, spins=False) == []


@pytest.mark.skipif(openmp_team() is None, reason="only GNU's OpenMP, as in PyTorch for Linux, has such teams")
def test_the_sleeping_team_has_more_threads_than_cores() -> None:
    def kernel_threads() -> set[str]:
        return set(os.listdir("/proc/self/task"))

    team = openmp_team()
    assert team is not None
    before, sleeping = kernel_threads(), SleepingTeam(team)
    sleeping.keep()
    added = kernel_threads() - before
    assert sleeping.kept
    assert len(added) > len(os.sched_getaffinity(0))
    sleeping.let_go()
    while kernel_threads() & added:  # they end by themselves, a moment later
        os.sched_yield()
