"""Training in several processes, started as torchrun starts them; forked from one that has imported everything."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from gnnfuse.data import SampleStream
from gnnfuse.edges import Complete, Window
from gnnfuse.fusion import GraphFusion
from gnnfuse.graph import ClassTarget, GraphBuilder
from gnnfuse.nodes import AudioFrames, Hub, TextTokens
from gnnfuse.readout import Fused
from gnnfuse.sample import Audio, Sample
from gnnfuse.tasks import BatchObjective, Classification, CrossEntropy, Objective
from gnnfuse.train import FitConfig, fit_task
from tests.train.life_server import import_everything

LIMIT = 300  # seconds, after which a process ends that waits for another that has left
WORDS = ("ant", "bee", "cow", "dog")


@dataclass(frozen=True)
class Recorded(SampleStream):
    """Words, of which those with an even number have a recording: a stream's first of two processes gets them all."""

    count: int

    def __call__(self, number: int) -> Sample:
        """One of them."""
        word = WORDS[number * 7 % 4]
        signals: dict[str, object] = {"text": word}
        if number % 2 == 0:
            wave = torch.randn(800, generator=torch.Generator().manual_seed(number)) / 4
            signals["audio"] = Audio(wave, sample_rate=8000)
        return Sample(signals, target=word, id=f"{number}")

    def share(self, index: int, count: int) -> Iterator[tuple[int, Sample]]:
        yield from ((number, self(number)) for number in range(index, self.count, count))

    def size(self) -> int:
        return self.count


class Spread(BatchObjective):
    """Draws the vectors of a class to their mean, and the means of the whole batch apart: of no part of it alone."""

    name = "spread"

    def loss(self, fused: Fused, target: Tensor) -> Tensor:
        centred = fused.vector - fused.vector.mean(dim=0)
        alike = target[:, None] == target[None, :]
        return ((centred @ centred.T) * torch.where(alike, -1.0, 1.0)).mean()


def task(dropout: float, objectives: str = "samples") -> Classification:
    """A small graph model."""
    rules = [Window(size=1), Complete(dst="hub", name="to_hub"), Complete(src="hub", name="from_hub")]
    types = [TextTokens(), AudioFrames(sample_rate=8000, hop=0.025), Hub()]
    builder = GraphBuilder(types, rules, target=ClassTarget(WORDS))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GraphFusion(builder.node_types, builder.relations, dim=8, depth=1)
        asked: list[Objective] = [CrossEntropy(), *([Spread(weight=0.5)] if objectives == "batch" else [])]
        return Classification(model, builder, dropout=dropout, objectives=asked)


class Watch(Callback):
    """Writes down losses and samples; asks its own process to end, as SLURM does, in a given step of a given rank."""

    def __init__(self, signal_at: tuple[int, int] | None) -> None:
        self.signal_at = signal_at
        self.losses: list[float] = []
        self.seen: list[str] = []
        self.audio = 0
        self.seed = 0

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: object, batch: Any, batch_idx: int) -> None:
        self.seen += batch.ids
        self.seed = torch.initial_seed()
        self.audio += int(batch.present[:, list(batch.modalities).index("audio")].sum())
        if self.signal_at == (trainer.global_rank, trainer.global_step):
            os.kill(os.getpid(), 15)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: object, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.losses.append(float(outputs["loss"]))


def train(request: dict[str, Any]) -> dict[str, Any]:
    """What one process does."""
    torch.set_num_threads(1)
    count = request.get("samples", 49)
    data = Recorded(count)
    samples = data if request["kind"] == "stream" else [data(number) for number in range(count)]
    signal_at = request.get("signal_at")
    watch = Watch(None if signal_at is None else (signal_at[0], signal_at[1]))
    config = FitConfig(**{"batch_size": 8, "device": "cpu", "progress": False, "patience": None, **request["config"]})
    trained = task(request.get("dropout", 0.0), request.get("objectives", "samples"))
    report = fit_task(trained, samples, [data(number) for number in range(13)], config, callbacks=[watch])
    return {
        "losses": watch.losses,
        "seen": watch.seen,
        "audio": watch.audio,
        "seed": watch.seed,
        "history": [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in report.history],
        "samples": report.samples,
        "weights": [float(tensor.double().sum()) for tensor in trained.state_dict().values()],
    }


def fit_table(request: dict[str, Any]) -> dict[str, Any]:
    """What one process does that fits on a table."""
    from gnnfuse.tables import ColumnOptions
    from gnnfuse.workflow import FitOptions, default_config, fit

    torch.set_num_threads(1)
    table = [{"word": word, "label": word} for word in WORDS * 6]
    config = default_config(epochs=1, batch_size=8, device="cpu", devices=request["processes"])
    options = FitOptions(model="graph", dim=8, depth=1)
    fitted = fit(
        table, out=request["out"], columns=ColumnOptions(text="word", target="label"), options=options, config=config
    )
    assert fitted.report is not None
    return {"metrics": fitted.metrics, "best": fitted.report.best}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Fork as many processes per request as it asks for, and give the answers of all."""
    for line in requests:
        request = json.loads(line)
        found = [_fork(request, rank) for rank in range(request["processes"])]
        said = []
        for pipe, child in found:
            with os.fdopen(pipe) as file:
                said.append(json.loads(file.read() or '{"error": "died"}'))
            os.waitpid(child, 0)
        errors = [each for each in said if "error" in each]
        answers.write(json.dumps(errors[0] if errors else {"ranks": said}) + "\n")
        answers.flush()


def _fork(request: dict[str, Any], rank: int) -> tuple[int, int]:
    if rank == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            request["port"] = free.getsockname()[1]
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return read, child
    os.close(read)
    signal.alarm(LIMIT)
    if request["processes"] > 1:
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": request["processes"]}
        numbers |= {"LOCAL_WORLD_SIZE": request["processes"], "MASTER_PORT": request["port"]}
        os.environ |= {name: str(number) for name, number in numbers.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "test"}
    try:
        said = json.dumps(fit_table(request) if request["kind"] == "table" else train(request))
    except SystemExit as stop:
        said = json.dumps({"exit": stop.code})
    except BaseException as error:
        said = json.dumps({"error": f"rank {rank}: {type(error).__name__}: {error}"})
    with os.fdopen(write, "w") as file:
        file.write(said)
    os._exit(0)


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever prints does not disturb the answers
    import_everything()
    serve(sys.stdin, answers)
