"""The one loop that trains and examines every model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gnnfuse import catalog
from gnnfuse.bench.bench_task import BenchTask
from gnnfuse.bench.environment import environment
from gnnfuse.bench.examination import Examination
from gnnfuse.bench.memory import PeakMemory
from gnnfuse.bench.results import RESULTS, Results, Row
from gnnfuse.bench.summary_lines import SummaryLines
from gnnfuse.devices import device_of
from gnnfuse.graph import GraphBuilder, SampleGraph
from gnnfuse.observer import Observer
from gnnfuse.tasks import Task
from gnnfuse.train import FitConfig, Samples, fit_task, prepare
from gnnfuse.workflow.models import ModelName, expand, make_model

MARGIN = 0.9  # share of the time for training; evaluation and reports take the rest


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """The settings of a benchmark on a task.

    Args:
        models: names of the catalogue; `unimodal` alone means one per modality.
        seeds: seeds per model.
        minutes: time for everything, divided equally among the runs; None for no limit.
        device: as `FitConfig.device`.

    Raises:
        ValueError: no models, an unknown model name, no seeds, no time, or a device that cannot be used.
    """

    models: tuple[str, ...]
    seeds: int = 2
    minutes: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError(f"found no models, expected some of {', '.join(catalog.names('model'))}")
        for name in self.models:
            ModelName.of(name)
        if self.seeds < 1 or (self.minutes is not None and not 0 < self.minutes < float("inf")):
            raise ValueError(f"seeds must be at least 1 and minutes above 0, found {self.seeds} and {self.minutes}")
        device_of(self.device)  # raises for an unknown device before anything is read


def run_benchmark(task: BenchTask, config: BenchConfig, observer: Observer, *, out: Path) -> Results:
    """Train every model with every seed through one loop with one budget, and examine each once.

    Training and model selection receive only training and validation samples; `Examination` opens the test splits for a
    run only after its training. `out/results.json` is written after every run.

    Args:
        task: data, graphs, budget.
        config: models, seeds, time.
        observer: receives progress, and the summary of each model after its last run.
        out: an existing folder.

    Raises:
        ValueError: an unknown model, or data that cannot be read.
    """
    started = time.monotonic()
    dataset, builder = task.dataset, task.builder()
    modalities = [node_type.name for node_type in builder.node_types if node_type.signal is not None]
    names = expand(config.models, modalities)
    anew = task.config.augment and bool(builder.changing)
    with observer.begins("reading samples", len(dataset.valid) + (0 if anew else len(dataset.train))) as advance:
        valid = prepare(builder, dataset.valid, advance=advance)
        prepared = [] if anew else prepare(builder, dataset.train, advance=advance)

    seconds = _seconds(config, len(names) * config.seeds, time.monotonic() - started)
    fit_config = replace(task.config, seconds=seconds, device=config.device, progress=False)
    results = _empty_results(task, fit_config)
    results.dropped = {
        node_type.name: sum(
            nodes.dropped for graph in (*prepared, *valid) if (nodes := graph.nodes[node_type.name]) is not None
        )
        for node_type in builder.node_types
    }
    train: Samples = prepared or dataset.train
    examination = Examination(dataset, builder, group=task.group, device=config.device)
    run = _Run(task, builder, train, valid, examination, observer)
    lines = SummaryLines(results, names)
    with observer.begins("runs", len(names) * config.seeds) as finished:
        for name in names:
            for seed in range(config.seeds):
                fitted = run.make(name, seed)
                results.metric, results.higher_is_better = fitted.monitor, fitted.higher_is_better
                results.sample_metric = fitted.sample_metric
                results.rows.append(run(str(name), fitted, replace(fit_config, seed=seed)))
                results.write(out / RESULTS)
                finished(note="")
            for line in lines.of(str(name)):
                observer.says(line)
    return results


def _seconds(config: BenchConfig, runs: int, spent: float) -> float | None:
    """Seconds of training per run, after `spent` seconds before the first one; None for no limit.

    Raises:
        ValueError: no more than one second is left for each run.
    """
    if config.minutes is None:
        return None
    seconds = (config.minutes * 60 * MARGIN - spent) / runs
    if seconds <= 1:
        raise ValueError(f"found minutes={config.minutes:g} for {runs} runs, expected more time")
    return seconds


@dataclass(frozen=True)
class _Run:
    """Trains one model and examines it."""

    task: BenchTask
    builder: GraphBuilder
    train: Samples
    valid: Sequence[SampleGraph]
    examination: Examination
    observer: Observer

    def make(self, name: ModelName, seed: int) -> Task:
        """A new task, its weights drawn from the seed."""
        model = make_model(name, self.builder, dim=self.task.dim, depth=self.task.depth, seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = self.task.task(model, self.builder)
            self._warm_up(made)
        return made

    def __call__(self, name: str, fitted: Task, config: FitConfig) -> Row:
        from gnnfuse.workflow.training_watch import TrainingWatch  # imports lightning

        watch = TrainingWatch(self.observer, config.epochs, run=f"{name}, seed {config.seed}", metric=fitted.monitor)
        with PeakMemory(device_of(config.device)) as memory:
            report = fit_task(fitted, self.train, self.valid, config, callbacks=[watch])
        scores = self.examination.take(fitted, run=f"{name} seed {config.seed}")
        first, *others = scores
        return Row(
            model=name,
            family=fitted.model.family,
            seed=config.seed,
            test=scores[first].metrics,
            other_tests={other: scores[other].metrics for other in others},
            groups={split: found.groups for split, found in scores.items()},
            valid=report.best,
            parameters=sum(parameter.numel() for parameter in fitted.parameters() if parameter.requires_grad),
            train_seconds=report.seconds,
            samples_per_second=scores[first].samples_per_second,
            peak_memory_mb=memory.megabytes,
            epochs=report.epochs,
            best_epoch=report.best_epoch,
            stopped=report.stopped,
            history=report.history,
        )

    def _warm_up(self, task: Task) -> None:
        """Run one step and discard its result, so that compiling kernels counts as no model's time or memory."""
        batch = task.builder.collate(list(self.valid[:2]))
        batch = batch.to(task.device)
        torch.autograd.backward(list(task.losses(task.step(batch)).values()))
        task.zero_grad(set_to_none=True)


def _empty_results(task: BenchTask, config: FitConfig) -> Results:
    dataset = task.dataset
    tests = {name: len(held_out) for name, held_out in dataset.tests.items()}
    told = ("epochs", "seconds", "batch_size", "learning_rate", "weight_decay", "patience", "augment")
    return Results(
        task=task.name or dataset.name,
        splits={"train": len(dataset.train), "valid": len(dataset.valid), **tests},
        environment=environment(device_of(config.device)),
        budget={name: getattr(config, name) for name in told}
        | {"dim": task.dim, "depth": task.depth, "dropout": task.dropout},
        ceilings=dataset.ceilings,
        source=dataset.source,
        group=task.group or "group",
        caveat=dataset.caveat,
    )
