"""A process that has imported what tests need, and answers requests in JSON lines."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]


class Ask(Protocol):
    """A request in, the answer out."""

    def __call__(self, **request: Any) -> Any: ...


@contextmanager
def server_process(module: str) -> Iterator[Ask]:
    """Start `python -m module`, and end it afterwards."""
    paths = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    server = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    source, sink = server.stdout, server.stdin
    assert source
    assert sink

    def ask(**request: Any) -> Any:
        sink.write(json.dumps(request) + "\n")
        sink.flush()
        found = json.loads(source.readline())
        assert "error" not in found, found
        return found

    yield ask
    sink.close()
    assert server.wait() == 0
