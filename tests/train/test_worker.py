"""Loader workers wait for their training process, and never keep it from ending."""

import subprocess
import sys
from pathlib import Path

import pytest

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
