"""OpenMP threads that sleep instead of spinning while other programs need the cores.

In GNU's OpenMP library, which PyTorch's wheels for Linux contain, the threads of an operator wait for the last one in
a loop of 300,000 rounds before they sleep. On free cores this is fastest: with `GOMP_SPINCOUNT=1000` a training
step of small layers on two cores took 1.2 to 1.4 times as long, with 10,000 rounds 1.06 times. If three other
programs need the cores, the same step takes 2.5 to 2.9 times its fair share, with 10,000 rounds 1.7 times. No
single number is right, but the library has two: while a process has more threads than cores, it cuts the loop to 100
rounds (`GOMP_SPINCOUNT` in its manual). To trigger this, a thread keeps a sleeping team while the cores are busy: the
step then takes .8 to .9 of its fair share (medians of turns, on the digits of `gnnfuse bench`).
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gnnfuse.ops.cpu.openmp import Team, openmp_team
from gnnfuse.threads import CROWDED, core_times, crowded, spinning

CALM = 0.05  # share of the time that threads wait for cores below which these count as free again
PATIENCE = 12  # consecutive findings of busy cores before the user is warned


@contextmanager
def yielding_cores(every: float = 0.25) -> Iterator[None]:
    """Let waiting threads leave busy cores to other programs, and warn with further remedies.

    Does nothing with one thread, with an OpenMP library other than GNU's, if the environment sets how threads wait
    (`GOMP_SPINCOUNT`, `OMP_WAIT_POLICY`), or if the system does not count how long threads wait for cores (Linux does).

    Args:
        every: seconds between two checks.

    Warns:
        RuntimeWarning: threads wait for cores a fifth of the time or more, for three seconds in a row.
    """
    team = openmp_team()
    if team is None or torch.get_num_threads() < 2 or not spinning() or core_times() is None:
        yield
        return
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(team, ended, every), name="gnnfuse busy cores", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


class SleepingTeam:
    """More OpenMP threads than cores, asleep; GNU's library then lets no thread of the process spin for long.

    Args:
        team: runs a function on several OpenMP threads.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._release: threading.Event | None = None

    @property
    def kept(self) -> bool:
        """Whether there is a team."""
        return self._release is not None

    def keep(self) -> None:
        """Make a team, which lives as long as the thread that created it."""
        release, ready = threading.Event(), threading.Event()

        def live() -> None:
            self._team(lambda: None, len(os.sched_getaffinity(0)) + 1)
            ready.set()
            release.wait()

        self._thread = threading.Thread(target=live, name="gnnfuse sleeping team", daemon=True)
        self._thread.start()
        ready.wait()
        self._release = release

    def let_go(self) -> None:
        """End the team."""
        if self._release is not None:
            self._release.set()
            self._thread.join()
            self._release = None


def _watch(team: Team, ended: threading.Event, every: float) -> None:
    sleeping, busy, warned, before = SleepingTeam(team), 0, False, core_times()
    while before is not None and not ended.wait(every):
        share, before = crowded(before, seconds=every), core_times()
        busy = busy + 1 if share >= CROWDED else 0
        if busy and not sleeping.kept:
            sleeping.keep()
        elif share < CALM:
            sleeping.let_go()
        if busy == PATIENCE and not warned:
            warned = True
            _warn(share)
    sleeping.let_go()


def _warn(share: float) -> None:
    warnings.warn(
        f"the cores are busy: threads of this process waited for one {share:.0%} of the time. While that lasts, "
        "PyTorch's threads sleep rather than spin as they wait for each other. One thread may be faster still: export "
        "OMP_NUM_THREADS=1 (before Python starts), torch.set_num_threads(1), or --threads 1 of the commands",
        RuntimeWarning,
        stacklevel=2,
    )
