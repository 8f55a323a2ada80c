"""The number of threads of PyTorch's operators, and whether cores are free for them; imports nothing large."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # how threads wait for each other; read when torch is loaded
CROWDED = 0.2  # share of the time that threads wait for a core from which cores count as busy


def prepare_threads(threads: int | None = None, *, processes: int = 1) -> None:
    """Set the number of threads in the environment, before torch is loaded.

    A number that the user has set there stays, unless `threads` is given. If torch is loaded already, it is set there.

    Args:
        threads: for each process; by default the usable cores divided by the number of processes.
        processes: processes on this machine.

    Raises:
        ValueError: fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, found {threads}")
    if torch := sys.modules.get("torch"):
        if threads is not None:
            torch.set_num_threads(threads)
        return
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    else:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // processes)))


def usable_cores() -> int:
    """The number of cores that this process may use: by its affinity and its container's quota, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def core_quota(root: Path = Path("/")) -> float | None:
    """The cores' worth of time that this process's control groups allow (Linux, both versions); None for no limit.

    Args:
        root: root of the file system.
    """
    found = [quota for group in _groups(root) if (quota := _quota_of(group)) is not None]
    return min(found, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups and their parents, as far as they are visible here."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, inner = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controllers
        group = top / inner.strip("/")
        # A container sees its own group at the top; if its name outside is reported, no folder here has that name.
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top) and folder.is_dir())


def _quota_of(group: Path) -> float | None:
    """The quota of one group, from `cpu.max` (version 2) or `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1)."""
    try:
        if (group / "cpu.max").exists():
            words = (group / "cpu.max").read_text().split()
        else:
            words = [(group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")]
        quota, period = (float(word) for word in words)
    except (OSError, ValueError):  # "max" means no limit
        return None
    return quota / period if quota > 0 and period > 0 else None


def system_field(file: str, name: str) -> str | None:
    """The value behind a name in a file of lines "name: value", such as /proc/cpuinfo; None if there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def spinning() -> bool:
    """Whether threads spin for the default time, that is, the environment does not set it."""
    return not any(name in os.environ for name in WAITING)


def core_times(task: Path = Path("/proc/self/task")) -> tuple[int, int] | None:
    """Nanoseconds that this process's threads ran and that they waited for a core; None if the system does not count.

    Args:
        task: folder of the threads, as Linux shows them.
    """
    found = []
    for file in task.glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # the thread has just ended
            ran, waited, _ = map(int, file.read_text().split())
            found.append((ran, waited))
    return (sum(ran for ran, _ in found), sum(waited for _, waited in found)) if found else None


def crowded(before: tuple[int, int] = (0, 0), *, seconds: float = 0.0) -> float:
    """The share of waiting in the time that threads ran or waited for a core since `before`.

    It is 0 if the system does not count. If a process slept for most of `seconds`, it is the share of `seconds`.
    """
    now = core_times()
    if now is None:
        return 0.0
    ran, waited = now[0] - before[0], now[1] - before[1]
    return max(0, waited) / max(1, ran + waited, seconds * 1e9)


def advice() -> str:
    """What to do if threads spin on busy cores."""
    return "export GOMP_SPINCOUNT=1000  (before Python starts; `fit_task` and the commands do not need it)"
