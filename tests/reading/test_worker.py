"""Loader workers wait for their training process, and never keep it from ending."""

import gc
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch._utils import ExceptionWrapper

from gnnfuse.data import SampleStream
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.reading.worker import workers_lost
from gnnfuse.sample import Sample
from gnnfuse.train import Batches, FitConfig

PROGRAM = """
import os
import signal
import sys
from gnnfuse.graph import GraphBuilder
from gnnfuse.nodes import TextTokens
from gnnfuse.sample import Sample
from gnnfuse.train import Batches, FitConfig

samples = [Sample({"text": str(number)}) for number in range(8)]
builder = GraphBuilder([TextTokens()])
batches = Batches(builder, samples, FitConfig(batch_size=2, workers=2), training=False)
reading = iter(batches)
first = [next(reading) for _ in range(2)]  # one of each worker: both have begun
workers = batches._source._loader._iterator._workers
for worker in workers:
    os.kill(worker.pid, signal.SIGTERM)  # as a scheduler does to every process of a job
    os.kill(worker.pid, signal.SIGINT)
print(sum(len(batch) for batch in (*first, *reading)), [worker.is_alive() for worker in workers], flush=True)
"""


@pytest.mark.parametrize("end", ["", "raise RuntimeError('of a user')"])
@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_process_with_workers_that_nobody_closed_ends(end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + end],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "8 [True, True]\n"
    assert done.returncode == (1 if end else 0), done.stderr


class Collecting(SampleStream):
    """Whoever reads it collects garbage first."""

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        gc.collect()
        yield from ((number, Sample({"text": str(number)})) for number in range(index, 8, count))

    def size(self) -> int | None:
        return 8


class Garbage:
    """What only the cyclic collector finds; it notes who found it."""

    def __init__(self, found: Any) -> None:
        self.found, self.itself = found, self

    def __del__(self) -> None:
        self.found[:] = str(os.getpid()).encode().ljust(len(self.found))


def read(samples: Any, **how: Any) -> Batches:
    return Batches(
        GraphBuilder([TextTokens()]), samples, FitConfig(batch_size=2, workers=2, device="cpu", **how), training=False
    )


@pytest.mark.skipif(
    multiprocessing.get_all_start_methods()[0] != "fork", reason="only forks have what their parent had"
)
def test_workers_leave_the_garbage_of_their_parent_to_it() -> None:
    found = multiprocessing.RawArray("c", 16)
    batches = read(Collecting())
    gc.disable()
    try:
        Garbage(found)
        assert sum(len(batch) for batch in batches) == 8
        assert found.value == b""
        gc.collect()
    finally:
        gc.enable()
    assert int(found.value) == os.getpid()


def test_how_processes_begin_is_left_open() -> None:
    program = "import multiprocessing as m; from gnnfuse.reading.worker import worker_context; worker_context(2); "
    done = subprocess.run(
        [sys.executable, "-c", program + "m.set_start_method('spawn'); print(worker_context(2), worker_context(0))"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.returncode) == ("None None\n", 0), done.stderr


LISTED = [Sample({"text": str(number)}) for number in range(8)]


@pytest.mark.parametrize(
    ("samples", "done"),
    [(LISTED, 0), (LISTED, 3), (Collecting(), 0)],  # with one batch left only one of two workers is ever asked
    ids=["sequence", "end of a sequence", "stream"],
)
def test_workers_of_a_reading_that_was_given_up_end(samples: Any, done: int) -> None:
    before = set(multiprocessing.active_children())
    batches = read(samples)
    batches.load_state_dict({"epoch": 0, "done": done})
    reading = iter(batches)
    next(reading)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    given_up: list[Any] = [batches, reading]
    given_up.append(given_up)  # as an error's traceback does, that a notebook keeps
    del batches, reading, given_up
    gc.collect()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]


def repeated(error: Exception) -> None:
    """What a loader does with an error that its worker raised."""
    try:
        raise error
    except Exception:
        wrapped: Any = ExceptionWrapper(where="in DataLoader worker process 0")  # type: ignore[no-untyped-call]
    with workers_lost():
        wrapped.reraise()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("row 2: broken"), ValueError, "row 2: broken"),
        (ValueError("row 2: broken\nhint: mend it"), ValueError, "row 2: broken\nhint: mend it"),
        (ValueError(), ValueError, "ValueError"),
        (FileNotFoundError("found no a.png"), FileNotFoundError, "found no a.png"),
        (UnicodeEncodeError("ascii", "\xe4", 0, 1, "no"), ValueError, "'ascii' codec can't encode .*: no"),
        (RuntimeError("a bug"), RuntimeError, r"Caught RuntimeError .*Original Traceback .*a bug\n"),
    ],
    ids=["one line", "two lines", "no message", "system", "not made of a message", "a bug keeps its traceback"],
)
def test_an_error_of_a_worker_is_the_error_itself(error: Exception, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        repeated(error)
    assert type(caught.value) is kind
    assert re.fullmatch(message, str(caught.value), re.DOTALL)
