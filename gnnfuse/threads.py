"""How many threads PyTorch's operators run on, and whether they find cores to run on; nothing large is imported."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # how threads wait for each other, read when torch is loaded
CROWDED = 0.2  # share of the time that threads wanted a core and had none, from which cores are called busy


def prepare_threads(threads: int | None = None, *, processes: int = 1) -> None:
    """Set in the environment, before torch is loaded, how many threads it takes.

    What the user has set there stays, unless `threads` is given. Where torch is loaded already, it is asked for these.

    Args:
        threads: for each process; by default the cores that may be used, shared out among the processes.
        processes: on this machine.

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
    """Cores that this process may use: by its affinity and by the quota of its container, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def core_quota(root: Path = Path("/")) -> float | None:
    """How many cores' time the control groups of this process allow (Linux, both versions); None for no limit.

    Args:
        root: of the file system.
    """
    found = [quota for group in _groups(root) if (quota := _quota_of(group)) is not None]
    return min(found, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's groups and of those that they are in, as far as they can be seen from here."""
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
        # A container sees its own group at the top, and may be told its name outside, which is no folder here.
        yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top) and folder.is_dir())


def _quota_of(group: Path) -> float | None:
    """Of one group, by `cpu.max` of version 2 or `cpu.cfs_quota_us` and `cpu.cfs_period_us` of version 1."""
    try:
        if (group / "cpu.max").exists():
            words = (group / "cpu.max").read_text().split()
        else:
            words = [(group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")]
        quota, period = (float(word) for word in words)
    except (OSError, ValueError):  # no limit is "max"
        return None
    return quota / period if quota > 0 and period > 0 else None


def spinning() -> bool:
    """Whether threads spin as long as they do by default: nobody has said otherwise."""
    return not any(name in os.environ for name in WAITING)


def core_times(task: Path = Path("/proc/self/task")) -> tuple[int, int] | None:
    """Nanoseconds that the threads of this process ran, and that they waited for a core; None where nobody counts.

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
    """The share of the time since `before` that threads ran or waited for a core in which they waited.

    It is 0 where nobody counts. Of a process that slept most of the `seconds`, it is the share of these.
    """
    now = core_times()
    if now is None:
        return 0.0
    ran, waited = now[0] - before[0], now[1] - before[1]
    return max(0, waited) / max(1, ran + waited, seconds * 1e9)


def advice() -> str:
    """What to do where threads spin on busy cores."""
    return "export GOMP_SPINCOUNT=1000  (before Python starts; `fit_task` and the commands do not need it)"
