"""What a loader worker does before it loads, and how it ends."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import cache, partial
from multiprocessing.util import Finalize
from typing import Any


def worker_start() -> Callable[[int], None]:
    """What a loader of this process takes as `worker_init_fn`."""
    return partial(start_worker, ending_of(os.getpid()))


def start_worker(ending: Any, number: int) -> None:
    """Leave Ctrl-C and requests to end to the training process, which finishes its step before it lets workers go.

    When that process itself ends, Python asks its workers to end and waits for them: then they must.

    Args:
        ending: its `value` is 1 from when the training process ends.
        number: of the worker.
    """

    def asked(*_: object) -> None:
        if ending.value:
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, asked)


@cache
def ending_of(process: int) -> Any:
    """A byte that this process shares with its workers: 1 from when it ends, before it asks them to."""
    ending = multiprocessing.RawValue("b", 0)
    Finalize(None, setattr, args=(ending, "value", 1), exitpriority=100)
    return ending
