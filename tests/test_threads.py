"""How many threads there are, how they wait, and whether the cores are busy: from files as systems show them."""

import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gnnfuse import threads


def system(root: Path, **files: str) -> Path:
    """A file system with such files; "__" in a name stands for "/", "_of_" for "."."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_of_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2, V1 = "0::/kube/pod\n", "9:name=systemd:/\n3:cpu:/docker/abc\n0::/\n"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"proc__self__cgroup": V2, "sys__fs__cgroup__kube__pod__cpu_of_max": "150000 100000\n"}, 1.5),
        ({"proc__self__cgroup": V2, "sys__fs__cgroup__kube__pod__cpu_of_max": "max 100000\n"}, None),
        (
            {
                "proc__self__cgroup": V2,
                "sys__fs__cgroup__kube__pod__cpu_of_max": "400000 100000\n",
                "sys__fs__cgroup__kube__cpu_of_max": "200000 100000\n",
            },
            2.0,  # the group around it allows less
        ),
        ({"proc__self__cgroup": "0::/\n", "sys__fs__cgroup__cpu_of_max": "50000 100000\n"}, 0.5),
        (
            {  # a container that is told its name outside, and sees its own group at the top
                "proc__self__cgroup": V1,
                "sys__fs__cgroup__cpu__cpu_of_cfs_quota_us": "300000\n",
                "sys__fs__cgroup__cpu__cpu_of_cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                "proc__self__cgroup": "4:cpu,cpuacct:/docker/abc\n",
                "sys__fs__cgroup__cpu,cpuacct__docker__abc__cpu_of_cfs_quota_us": "-1\n",
                "sys__fs__cgroup__cpu,cpuacct__docker__abc__cpu_of_cfs_period_us": "100000\n",
            },
            None,
        ),
        ({"proc__self__cgroup": "3:cpuset:/docker\n", "sys__fs__cgroup__cpuset__cpu_of_max": "1 1\n"}, None),
        ({"proc__self__cgroup": V2, "sys__fs__cgroup__kube__pod__cpu_of_max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_the_control_groups(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert threads.core_quota(system(tmp_path, **files)) == quota


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (1.5, 2), (0.5, 1), (16.0, 4)])
def test_usable_cores_are_those_of_affinity_and_quota(
    quota: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(threads, "core_quota", lambda: quota)
    assert threads.usable_cores() == cores


SET = (*threads.WAITING, "OMP_NUM_THREADS")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process with nothing of ours in the environment, torch not loaded, and four cores."""
    for name in SET:
        monkeypatch.setenv(name, "")  # or what a test sets would stay
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    monkeypatch.delitem(sys.modules, "torch")
    return monkeypatch


def found() -> dict[str, str]:
    return {name: os.environ[name] for name in SET if name in os.environ}


@pytest.mark.usefixtures("fresh")
def test_a_command_sets_what_nobody_has_set() -> None:
    threads.prepare_threads()
    assert found() == {"OMP_NUM_THREADS": "4"}


@pytest.mark.usefixtures("fresh")
def test_processes_share_the_cores() -> None:
    threads.prepare_threads(processes=3)
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("name", threads.WAITING)
def test_what_the_user_has_set_stays(name: str, fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv(name, "own")
    fresh.setenv("OMP_NUM_THREADS", "3")
    threads.prepare_threads()
    assert found() == {name: "own", "OMP_NUM_THREADS": "3"}
    assert not threads.spinning()


def test_a_number_that_is_asked_for_wins(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("OMP_NUM_THREADS", "3")
    threads.prepare_threads(2)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    with pytest.raises(ValueError, match="threads must be at least 1, found 0"):
        threads.prepare_threads(0)


def test_where_torch_is_loaded_only_the_number_is_set(fresh: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    fresh.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=asked.append))
    threads.prepare_threads()
    threads.prepare_threads(2)
    assert (asked, found()) == ([2], {})
    assert threads.spinning()


def test_the_share_of_waiting_is_that_of_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system(tmp_path, **{"1__schedstat": "600 100 9\n", "2__schedstat": "200 300 9\n", "3__stat": ""})
    times = threads.core_times(tmp_path)
    assert times == (800, 400)
    monkeypatch.setattr(threads, "core_times", lambda: times)
    assert math.isclose(threads.crowded(), 400 / 1200)
    assert math.isclose(threads.crowded((700, 100)), 300 / 400)
    assert math.isclose(threads.crowded((700, 100), seconds=1e-6), 300 / 1000)
    monkeypatch.setattr(threads, "core_times", lambda: None)
    assert threads.crowded() == 0.0


def test_nobody_counts_where_there_are_no_such_files(tmp_path: Path) -> None:
    assert threads.core_times(tmp_path) is None
