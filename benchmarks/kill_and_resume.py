"""Kills a training run with SIGKILL at random times, resumes it each time, and compares its end with one left alone.

Each life is a process of its own, started anew; the time until it is killed is drawn between `--least` and `--most`
seconds after its training began, whatever it is doing then: a step, a validation, the writing of a checkpoint.

    python benchmarks/kill_and_resume.py --kills 20
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGUN = "training began"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--least", type=float, default=0.05, help="seconds of training before a kill, at least")
    parser.add_argument("--most", type=float, default=5.0, help="at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=["sequence", "stream"])
    parser.add_argument("--life", nargs=2, metavar=("KIND", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.life:
        print(json.dumps(live(given.life[0], Path(given.life[1]), given.epochs)), flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        same = [compare(kind, Path(folder) / kind, given) for kind in given.kinds]
    sys.exit(0 if all(same) else 1)


def compare(kind: str, folder: Path, given: argparse.Namespace) -> bool:
    """Kill and resume one kind of run; whether it ends with the weights and history of one that was left alone."""
    whole, _ = run(kind, folder / "whole", given.epochs, None)
    draw, writing, steps = random.Random(f"{kind} {given.seed}"), 0, []
    for number in range(given.kills):
        found, begun = run(kind, folder / "killed", given.epochs, draw.uniform(given.least, given.most))
        if found:
            sys.exit(f"{kind}: the run was over after {number} kills; give more --epochs or less --most")
        writing += bool(list((folder / "killed").glob(".checkpoint-*")))
        steps.append(begun)
    end, begun = run(kind, folder / "killed", given.epochs, None)
    same = end == whole
    print(
        f"{kind}: killed {given.kills} times, {writing} of them while a checkpoint was being written; lives began at "
        f"steps {', '.join(map(str, [*steps, begun]))} of {end['steps']}; weights and history "
        f"{'bit-identical to' if same else 'DIFFER from'} those of the run that was never killed "
        f"({end['weights'][:12]}, {whole['weights'][:12]})",
        flush=True,
    )
    return same


def run(kind: str, out: Path, epochs: int, seconds: float | None) -> tuple[dict[str, Any], int]:
    """One life, killed so many seconds after its training began; what it printed at its end, and its first step."""
    command = [sys.executable, __file__, "--epochs", str(epochs), "--life", kind, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    first, timer = -1, None
    for line in process.stdout:
        if line.startswith(BEGUN):
            first = int(line.split()[-1])
            if seconds is not None:
                timer = threading.Timer(seconds, process.kill)
                timer.start()
        else:
            if timer is not None:
                timer.cancel()
            found: dict[str, Any] = json.loads(line)
            process.wait()
            return found, first
    process.wait()
    if process.returncode != -9:
        sys.exit(f"a life ended with {process.returncode} by itself")
    return {}, first


def live(kind: str, out: Path, epochs: int) -> dict[str, Any]:
    """Train to the end, from wherever the folder says."""
    import torch
    from lightning.pytorch.callbacks import Callback

    import gnnfuse as gf
    from gnnfuse.data import SampleStream, digits
    from gnnfuse.nodes import LogMelFrames

    torch.set_num_threads(1)
    data = digits(train=120, valid=20, test=10)

    @dataclass(frozen=True)
    class Questions(SampleStream):
        """The training samples as a stream."""

        def share(self, index: int, count: int) -> Iterator[tuple[int, gf.Sample]]:
            yield from ((number, data.train[number]) for number in range(index, len(data.train), count))

        def size(self) -> int:
            return len(data.train)

    class Began(Callback):
        """Tells when training begins, and where."""

        steps = 0

        def on_train_start(self, trainer: Any, pl_module: object) -> None:
            print(BEGUN, trainer.global_step, flush=True)

        def on_train_batch_end(self, trainer: Any, *_: object) -> None:
            self.steps = trainer.global_step

    builder = gf.GraphBuilder(
        [
            gf.AudioFrames(sample_rate=8000, hop=0.08, window=0.08, encoding=LogMelFrames(mels=32)),
            gf.TextTokens(word_dropout=0.2),
            gf.Hub(),
        ],
        [gf.Window(), gf.Complete(dst="hub", name="to_hub"), gf.Complete(src="hub", name="from_hub")],
        target=gf.ClassTarget(data.classes),
    )
    torch.manual_seed(0)
    task = gf.Classification(
        gf.GraphFusion(builder.node_types, builder.relations, dim=32, depth=1), builder, dropout=0.2
    )
    config = gf.FitConfig(
        epochs=epochs, batch_size=8, augment=True, patience=None, device="cpu", progress=False, out=out, resume=True,
        every_seconds=0.1, shuffle_buffer=32,
    )  # fmt: skip
    began = Began()
    report = gf.fit_task(task, Questions() if kind == "stream" else data.train, data.valid, config, callbacks=[began])
    content = b"".join(tensor.numpy().tobytes() for tensor in task.state_dict().values())
    history = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in report.history]
    return {"weights": hashlib.sha256(content).hexdigest(), "history": history, "steps": began.steps}


if __name__ == "__main__":
    main()
