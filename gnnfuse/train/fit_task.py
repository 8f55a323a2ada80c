"""Training a task."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gnnfuse.busy_cores import yielding_cores
from gnnfuse.devices import device_of
from gnnfuse.reading.worker import workers_lost
from gnnfuse.tasks import Task
from gnnfuse.train.batches import Batches, Samples
from gnnfuse.train.fit_config import FitConfig
from gnnfuse.train.learn_first import learn_first
from gnnfuse.train.random_states import isolated_random
from gnnfuse.train.same_run import check_same_run, terms_of
from gnnfuse.train.surroundings import interruptible, quiet_lightning

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


@dataclass(frozen=True)
class FitReport:
    """What happened in training, over all processes that a resumed run had one after another.

    Args:
        epochs: epochs begun.
        best_epoch: the epoch whose weights were kept, from 0.
        best: its validation metrics; without validation only its training loss.
        seconds: wall-clock time.
        samples: training samples seen, counting repetitions.
        stopped: "epochs", "patience" or "seconds".
        history: one mapping per epoch: train_loss, valid_loss, valid_<metric>, seconds; without validation, train_loss
            and seconds.
    """

    epochs: int
    best_epoch: int
    best: Mapping[str, float]
    seconds: float
    samples: int
    stopped: str
    history: tuple[Mapping[str, float], ...]


def fit_task(
    task: Task,
    train: Samples,
    valid: Samples | None,
    config: FitConfig | None = None,
    *,
    callbacks: Sequence["Callback"] = (),
) -> FitReport:
    """Train a task through Lightning; it ends ready to predict, with the weights of its best validation epoch.

    Model selection and early stopping use `valid` only. Without it there are none: all epochs are trained, and the
    weights are those of the last. The random states of the process are restored afterwards.

    **Several devices.** With `devices` above 1, "ddp" runs the script again for each further device, with the
    environment variable LOCAL_RANK set: put the script's work under `if __name__ == "__main__":`, build task and data
    identically in every process, and expect every line after `fit_task` to run in every process too (all have the same
    report and weights). In a notebook "auto" forks the process instead, and only the first continues after `fit_task`;
    CUDA must not have been used before. torchrun and SLURM (`srun`, one task per device) start the processes;
    pass the same `devices` and `num_nodes`.

    **Resuming.** With `out`, checkpoints are written there (`Checkpoints`), and `resume=True` continues from the newest
    to the same end, bit for bit on the CPU. For this, node types must be pure and augmentations must draw from the
    generator that they receive. Without a checkpoint, training starts from the beginning, so one command serves every
    restart of a job (SLURM: `--requeue --signal=TERM@60`).

    Args:
        task: what to train; changed in place.
        train: training samples, or their graphs (`prepare`), or a stream.
        valid: validation samples, likewise; None for no validation.
        config: how; `FitConfig()` by default.
        callbacks: further Lightning callbacks.

    Raises:
        ValueError: `train` or `valid` is neither a sequence of samples nor a stream, or is empty; a sample has no
            target, an unknown signal, or no signal that the builder reads (`Sample({})`); a signal cannot be read
            (`SignalError`); prepared graphs are to be augmented; a device cannot be used; a folder holds another run's
            checkpoints; resuming or logs without a folder.
        FloatingPointError: the loss became NaN or infinite.
        ChildProcessError: the system ended a loader worker.
        KeyboardInterrupt: Ctrl-C; with `out`, after a checkpoint.
        SystemExit: SIGTERM, with `out`, after a checkpoint.

    Warns:
        RuntimeWarning: other programs keep the cores busy (`yielding_cores`).

    Example:
        >>> from gnnfuse.fusion import Unimodal
        >>> from gnnfuse.graph import ClassTarget, GraphBuilder
        >>> from gnnfuse.nodes import TextTokens
        >>> from gnnfuse.sample import Sample
        >>> from gnnfuse.tasks import Classification
        >>> builder = GraphBuilder([TextTokens()], target=ClassTarget(("no", "yes")))
        >>> task = Classification(Unimodal(builder.node_types, dim=16, depth=1, heads=2), builder)
        >>> samples = [Sample({"text": text}, target=text) for text in ("no", "yes") * 4]
        >>> report = fit_task(task, samples, samples, FitConfig(epochs=10, progress=False, device="cpu"))
        >>> report.epochs <= 10, task.predict(samples[0])[0].label
        (True, 'no')
    """
    from gnnfuse.train.callbacks import KeepBest, TimeLimit
    from gnnfuse.train.lightning_task import LightningTask, compiled
    from gnnfuse.train.trainer import Handback, check_launched, make_trainer

    config = FitConfig() if config is None else config
    if config.out is None and (config.resume or config.logs):
        needy = "resume=True" if config.resume else f"logs={config.logs}"
        raise ValueError(f"found {needy} without out=, expected the folder of checkpoints and logs")
    check_launched(config)
    device = device_of(config.device)
    pin = device.type == "cuda"
    batches = Batches(task.builder, train, config, training=True, pin_memory=pin)
    valid_batches = None if valid is None else Batches(task.builder, valid, config, training=False, pin_memory=pin)
    used = [batches] if valid_batches is None else [batches, valid_batches]
    for each in used:
        each.for_process(0, config.processes)
        assert len(each.plan)  # raises here if there are no samples, before anything starts
    judged = ("loss", False) if config.select == "loss" else (task.monitor, task.higher_is_better)
    monitor = None if valid is None else f"valid_{judged[0]}"
    best, limit = KeepBest(monitor, judged[1], config.patience), TimeLimit(config.seconds)
    checkpoint, terms = (None, {}) if config.out is None else _continue(task, batches, valid_batches, config)
    started = time.monotonic()
    with (
        quiet_lightning(),
        isolated_random(config.seed, device),
        ExitStack() as opened,
        tempfile.TemporaryDirectory() as folder,
    ):
        for each in used:
            opened.enter_context(closing(each))
        if checkpoint is None:  # which holds what was learnt
            learn_first(task, train, config, device)
        module = LightningTask(task, config, batches, valid_batches, terms=terms)
        handback = Handback(Path(folder) / "state", (best, limit))
        trainer = make_trainer(config, device, [limit, best, handback, *callbacks])
        with interruptible(), workers_lost(), compiled(task, config.compile), yielding_cores():
            trainer.fit(module, batches, valid_batches, ckpt_path=checkpoint, weights_only=True)
        handback.take(module)
        best.restore(task)
        task.eval()
    stopped = "seconds" if limit.reached else "patience" if best.gave_up else "epochs"
    return FitReport(
        epochs=len(best.history),
        best_epoch=best.epoch,
        best=best.history[best.epoch],
        seconds=module.spent + time.monotonic() - started,
        samples=module.samples,
        stopped=stopped,
        history=tuple(best.history),
    )


def _continue(
    task: Task, train: Batches, valid: Batches | None, config: FitConfig
) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint to continue from, if any, and the terms that a run must match to continue from ours."""
    from gnnfuse.train.checkpoint_files import newest, refuse_earlier_run

    assert config.out is not None
    folder = Path(config.out)
    terms = terms_of(task, train, valid, config)
    if not config.resume:
        refuse_earlier_run(folder)
        return None, terms
    found = newest(folder)
    if found is not None:
        kept = torch.load(found, map_location="cpu", mmap=True, weights_only=True)
        check_same_run(terms, kept["terms"], str(found))
    return found, terms
