"""How loader workers begin, what they do before they load, and how they end."""

import gc
import multiprocessing
import os
import re
import signal
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing.context import BaseContext
from multiprocessing.util import Finalize
from typing import Any, Generic, TypeVar, cast

from gnnfuse.train.surroundings import SIGNALS

Loaded = TypeVar("Loaded")
LOST = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? (?P<process>[\d, ]+)\) "
    r"(?:exited unexpectedly|is killed by signal: (?P<signal>\w+))"
)
RAISED = re.compile(r"^Caught \w+ in DataLoader worker process \d+\.\nOriginal Traceback")
NAMED = re.compile(r"^[\w.]+: ", re.MULTILINE)  # where a traceback ends in the error itself


def worker_context(workers: int) -> BaseContext | None:
    """What starts so many loader workers: forks that leave the garbage of their parent alone.

    None, torch's own choice, where there are none, or another start method.

    A loader that was given up in the middle is garbage of Python's cyclic collector, together with its queues. Where a
    forked worker came to collect it, its finalizer told workers of the parent to end, from a thread of its own, through
    pipes that the collector had closed by then. In the worker their numbers were those of other files: what the thread
    wrote stood in the memory of batches.
    """
    asked = multiprocessing.get_start_method(allow_none=True)  # asked otherwise, Python would settle it for good
    usual = multiprocessing.get_all_start_methods()[0]
    return _forking() if workers and (asked or usual) == "fork" else None


@cache
def _forking() -> BaseContext:
    fork: Any = multiprocessing.get_context("fork")

    class ForkedWorker(fork.Process):
        """A fork in which nothing of its parent's is collected."""

        def start(self) -> None:
            self.collects = gc.isenabled()
            gc.disable()  # in the child until `run`
            try:
                super().start()
            finally:
                if self.collects:
                    gc.enable()

        def run(self) -> None:
            gc.freeze()
            if self.collects:
                gc.enable()
            super().run()

    context: Any = type(fork)()
    context.Process = ForkedWorker
    return cast(BaseContext, context)


class Loading(Iterator[Loaded], Generic[Loaded]):
    """What a loader gives. Given up in the middle, its workers are told to end while their queues are whole.

    Python's cyclic collector calls the finalizers of what it found in any order. The pipes of a loader's queues were
    closed before the loader told its workers to end: the thread that tells them closed other files of their numbers, or
    wrote into them, and the loader waited ten seconds for workers that heard nothing. Here the loader's iterator is
    never part of what is collected; it goes when this object is gone, and its queues after it.

    Args:
        loader: begins a pass.
    """

    def __init__(self, loader: Iterable[Loaded]) -> None:
        self._iterator = iter(loader)
        weakref.finalize(self, list.clear, [self._iterator]).atexit = False  # torch sees to its workers then

    def __next__(self) -> Loaded:
        with workers_lost():
            return next(self._iterator)


@contextmanager
def workers_lost() -> Iterator[None]:
    """What torch says where a loader worker was killed, and what a worker raised, in one line each.

    Raises:
        ChildProcessError: the system ended a worker.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, RuntimeError) and (lost := LOST.search(str(error))):
            how = f"killed by signal {lost['signal']}" if lost["signal"] else "ended"
            raise ChildProcessError(
                f"a process that reads samples was {how} (process {lost['process']}), as the system does where memory "
                "runs out; start again with fewer workers (--workers, workers=), or none"
            ) from error
        if isinstance(error, ValueError | RuntimeError) and RAISED.match(str(error)):
            *_, named = NAMED.finditer(str(error))
            kind = ValueError if type(error) is RuntimeError else type(error)  # what torch cannot make again
            raise kind(str(error)[named.end() :].strip()) from error
        raise


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
    for number in SIGNALS[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, asked)


@cache
def ending_of(process: int) -> Any:
    """A byte that this process shares with its workers: 1 from when it ends, before it asks them to."""
    ending = multiprocessing.RawValue("b", 0)
    Finalize(None, setattr, args=(ending, "value", 1), exitpriority=100)
    return ending
