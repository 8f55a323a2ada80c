"""Lives of a training run, each in a process of its own that is killed at a given moment.

Importing torch and Lightning takes seconds, so one process imports them and forks a child per life, before it has run
anything of torch's. A child says over a pipe when it has come to its moment and stops there; then it gets SIGKILL.
Requests come as JSON lines on the standard input, answers leave as JSON lines.
"""

import hashlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from gnnfuse.data import SampleStream
from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import Features, Hub, TextTokens
from gnnfuse.sample import Sample
from gnnfuse.tasks import Classification
from gnnfuse.train import FitConfig, checkpoint_io, fit_task

WORDS = ("ant", "bee", "cow", "dog")
Moment = Literal["never", "step", "validation", "half written", "not yet renamed"]


@dataclass(frozen=True)
class Words(SampleStream):
    """A stream of words, of which some have features beside them; or, called, a list of them."""

    count: int
    knows_size: bool = True

    def __call__(self, number: int) -> Sample:
        """One of them."""
        word = WORDS[number * 7 % 4]
        row = torch.randn(1, 3, generator=torch.Generator().manual_seed(number))
        signals: dict[str, object] = {"text": word + "!" * (number % 3)} | ({"row": row} if number % 3 else {})
        return Sample(signals, target=word, id=f"{number}")

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        yield from ((number, self(number)) for number in range(index, self.count, count))

    def size(self) -> int | None:
        return self.count if self.knows_size else None


def task() -> Classification:
    """A small graph model with dropout."""
    rules = [Window(size=1), Complete(dst="hub", name="to_hub")]
    types = [TextTokens(word_dropout=0.3), Features(signal="row", width=3), Hub()]
    builder = GraphBuilder(types, rules, target=ClassTarget(WORDS))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Classification(GraphFusion(builder.node_types, builder.relations, dim=8, depth=1), builder, dropout=0.3)


def live(request: dict[str, Any], reached: Callable[[], None]) -> dict[str, Any]:
    """One life: to its end, or until it is killed."""
    torch.set_num_threads(1)
    count, kind = request.get("samples", 26), request["kind"]
    words = Words(count, knows_size=kind != "uncounted stream")
    train = [words(number) for number in range(count)] if kind == "sequence" else words
    config = FitConfig(**request["config"], batch_size=4, device="cpu", progress=False, patience=None)
    _stop_while_writing(request["moment"], request.get("after", 0), reached)
    stop = StopInTraining(request["moment"], request.get("after", 0), reached)
    trained = task()
    report = fit_task(trained, train, [words(number) for number in range(8)], config, callbacks=[stop])
    state = b"".join(tensor.numpy().tobytes() for tensor in trained.state_dict().values())
    history = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in report.history]
    return {
        "weights": hashlib.sha256(state).hexdigest(),
        "history": history,
        "samples": report.samples,
        "best epoch": report.best_epoch,
        "seen": stop.seen,
    }


class StopInTraining(Callback):
    """Comes to its moment at the so-manieth training step or validation batch of this life."""

    def __init__(self, moment: Moment, after: int, reached: Callable[[], None]) -> None:
        self.moment, self.left, self.reached = moment, after, reached
        self.seen: list[str] = []

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: object, batch: Any, batch_idx: int) -> None:
        self.seen += batch.ids
        self._count("step")

    def on_validation_batch_end(self, *_: object) -> None:
        self._count("validation")

    def _count(self, moment: Moment) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left < 0:
                self.reached()


def _stop_while_writing(moment: Moment, after: int, reached: Callable[[], None]) -> None:
    """Come to the moment in the so-manieth checkpoint of this life."""
    left, save, replace = [after], torch.save, os.replace

    def half(checkpoint: object, file: IO[bytes]) -> None:
        left[0] -= 1
        if left[0] >= 0:
            return save(checkpoint, file)
        whole = io.BytesIO()
        save(checkpoint, whole)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        reached()

    def never(src: Path, dst: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            reached()
        replace(src, dst)

    if moment == "half written":
        checkpoint_io.torch.save = half  # type: ignore[attr-defined]
    elif moment == "not yet renamed":
        checkpoint_io.os.replace = never  # type: ignore[attr-defined]


def import_everything() -> None:
    """What a life imports when it comes to it; nothing of torch's or numba's runs, so that no thread is forked away."""
    for name in (
        "gnnfuse.ops.attention.numba_launch",
        "gnnfuse.ops.merge_edges.numba_kernels",
        "gnnfuse.ops.cpu.openmp",
        "gnnfuse.train.trainer",
        "torch.utils.serialization.config",
    ):
        import_module(name)


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Fork a child per request; kill it when it comes to its moment."""
    for line in requests:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            _child(json.loads(line), write)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.readline()  # nothing where the child died on its own
            if said == "reached\n":
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        answer = {"killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL}
        found = {} if said in ("", "reached\n") else json.loads(said)
        answers.write(json.dumps(answer | found) + "\n")
        answers.flush()


def _child(request: dict[str, Any], write: int) -> None:
    def reached() -> None:
        os.write(write, b"reached\n")
        while True:
            signal.pause()

    try:
        found = live(request, reached)
        os.write(write, (json.dumps(found) + "\n").encode())
        os._exit(0)
    except BaseException as error:
        os.write(write, (json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n").encode())
        os._exit(1)


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever prints does not disturb the answers
    import_everything()
    serve(sys.stdin, answers)
