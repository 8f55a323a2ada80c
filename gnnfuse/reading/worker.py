"""How loader workers start, what they do first, and how they end."""

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

SIGNALS = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
Loaded = TypeVar("Loaded")
LOST = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? (?P<process>[\d, ]+)\) "
    r"(?:exited unexpectedly|is killed by signal: (?P<signal>\w+))"
)
# The first line of the last traceback that is not indented is the error itself.
RAISED = re.compile(
    r"Caught (?P<kind>\w+) in DataLoader worker process \d+\.\n.*Traceback \(most recent call last\):\n"
    r"(?: [^\n]*\n)*[^\s:]+(?:: (?P<message>.*))?",
    re.DOTALL,
)


def worker_context(workers: int) -> BaseContext | None:
    """The multiprocessing context of loader workers: forks that do not collect their parent's garbage.

    None (torch's own choice) without workers, and for other start methods.

    An abandoned loader and its queues are garbage for Python's cyclic collector. When a forked worker collected them,
    the finalizer signalled the parent's workers to end, from its own thread, through pipes that the collector had
    already closed. The worker had reused those file descriptors, so the thread wrote into batch memory.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)  # without allow_none Python would fix the default
    usual = multiprocessing.get_all_start_methods()[0]
    return _forking() if workers and (chosen or usual) == "fork" else None


@cache
def _forking() -> BaseContext:
    fork: Any = multiprocessing.get_context("fork")

    class ForkedWorker(fork.Process):
        """A fork that does not collect its parent's garbage."""

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
    """The batches of a loader; when it is abandoned halfway, its workers are ended before their queues are closed.

    Python's cyclic collector runs finalizers in any order. The pipes of a loader's queues were closed before the loader
    signalled its workers to end. Its thread then closed, or wrote into, other files that had reused the descriptors,
    and the loader waited ten seconds for workers that had received nothing. Here the collector never sees the loader's
    iterator, which is freed with this object and before its queues.

    Args:
        loader: begins a pass.
    """

    def __init__(self, loader: Iterable[Loaded]) -> None:
        self._iterator = iter(loader)
        weakref.finalize(self, list.clear, [self._iterator]).atexit = False  # torch ends its workers then

    def __next__(self) -> Loaded:
        with workers_lost():
            return next(self._iterator)


@contextmanager
def workers_lost() -> Iterator[None]:
    """Raise one line where torch reports that a loader worker was killed, or repeats a worker's traceback.

    A worker's RuntimeError keeps its traceback, as without workers.

    Raises:
        ChildProcessError: the operating system ended a worker.
        ValueError: a worker raised it, or an error that torch cannot rebuild from its message.
        OSError: a worker raised it.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, RuntimeError) and (lost := LOST.search(str(error))):
            how = f"killed by signal {lost['signal']}" if lost["signal"] else "ended"
            raise ChildProcessError(
                f"a process that reads samples was {how} (process {lost['process']}), as the system does when memory "
                "runs out; start again with fewer workers (--workers, workers=), or none"
            ) from error
        raised = RAISED.match(str(error)) if isinstance(error, ValueError | OSError | RuntimeError) else None
        if raised is None or raised["kind"] == "RuntimeError":
            raise
        kind = ValueError if type(error) is RuntimeError else type(error)
        raise kind((raised["message"] or raised["kind"]).strip()) from error


def worker_start() -> Callable[[int], None]:
    """The `worker_init_fn` for a loader of this process."""
    return partial(start_worker, ending_of(os.getpid()))


def start_worker(ending: Any, number: int) -> None:
    """Leave Ctrl-C and termination signals to the training process, which finishes its step before it ends workers.

    When that process itself ends, Python signals its workers and waits for them: then they must end.

    Args:
        ending: its `value` becomes 1 when the training process ends.
        number: of the worker.
    """

    def end_with_parent(*_: object) -> None:
        if ending.value:
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for request in SIGNALS[1:]:
        if signal.getsignal(request) is not signal.SIG_IGN:
            signal.signal(request, end_with_parent)


@cache
def ending_of(process: int) -> Any:
    """A byte that this process shares with its workers: set to 1 when it ends, before it signals them."""
    ending = multiprocessing.RawValue("b", 0)
    Finalize(None, setattr, args=(ending, "value", 1), exitpriority=100)
    return ending
