"""The benchmark as one function, for the command `gnnfuse bench`."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from rich.console import Console

from gnnfuse import catalog
from gnnfuse.bench.bench_task import BenchTask, MakeTask
from gnnfuse.bench.data.shared_folder import VARIABLE
from gnnfuse.bench.report import write_report
from gnnfuse.bench.results import PLOTS, RESULTS, Results, is_results
from gnnfuse.bench.run import BenchConfig, run_benchmark
from gnnfuse.bench.terminal import BenchTerminal
from gnnfuse.data import Dataset
from gnnfuse.data.overwriting import ELSEWHERE, refuse_unwritable, refuse_writing_into
from gnnfuse.progress_output import progress_console
from gnnfuse.sample.whole_file import remove_unfinished
from gnnfuse.workflow.models import DEFAULT_MODELS, expand


def bench(
    task: str = "digits",
    *,
    models: Sequence[str] = DEFAULT_MODELS,
    seeds: int | None = None,
    minutes: float | None = None,
    quick: bool = False,
    data: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> Results:
    """Train models on a task under one budget, print a table as runs end, and write the results.

    Args:
        task: name of a benchmark task.
        models: names of models; `unimodal` means one per modality, `unimodal:image` only that one.
        seeds: seeds per model; 2 by default, 1 when quick.
        minutes: time for all runs together, divided equally; results then depend on the machine's speed. No limit by
            default.
        quick: a short look: less data and fewer epochs.
        data: folder of the data sets that are not part of the package; GNNFUSE_DATA by default.
        out: folder to write into; `runs/<task>-<time>` by default.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        console: where to print; standard output by default.

    Returns:
        The results, as `results.json` in `out` holds them.

    Raises:
        ValueError: an unknown name, missing or damaged data, or too little time.
    """
    console = progress_console() if console is None else console
    make = cast(MakeTask, catalog.load("benchmark", task))
    seeds = (1 if quick else 2) if seeds is None else seeds
    config = BenchConfig(models=tuple(models), seeds=seeds, minutes=minutes, device=device)
    if out is not None:
        _check_folder(out, data)
    names = ", ".join(models)
    _print(console, f"{task}: {names}; {seeds} seed{'s' * (seeds > 1)} each; reading the data")
    made = replace(make(data, quick), name=task)
    runs = len(expand(models, _modalities(made))) * seeds
    out = Path("runs") / f"{task}-{time.strftime('%Y%m%d-%H%M%S')}" if out is None else out
    out.mkdir(parents=True, exist_ok=True)
    remove_unfinished(out)
    _introduce(console, made)
    with BenchTerminal(console, seeds=seeds, runs=runs) as terminal:
        try:
            results = run_benchmark(made, config, terminal, out=out)
        except KeyboardInterrupt:
            _print(console, f"interrupted; the runs that had finished are in {out / RESULTS}")
            raise
    from gnnfuse.bench.plots import write_plots  # imports matplotlib

    write_report(results, out, {})
    plots, notes = write_plots(results, out)
    report = write_report(results, out, plots, notes)
    for note in notes:
        _print(console, note)
    _conclude(console, results, report)
    return results


def _check_folder(out: Path, data: Path | None) -> None:
    """Refuse a folder in which data, or files of another program, would be replaced.

    Raises:
        ValueError: a file would be replaced; names it.
        PermissionError: the folder cannot be written to.
    """
    refuse_unwritable(out)
    given = data if data is not None else os.environ.get(VARIABLE)
    for folder in Path(given).glob("*") if given else ():
        if folder.is_dir():
            refuse_writing_into("the data folder", folder, [out / RESULTS])
    foreign = [name for name in (RESULTS, "report.md", *PLOTS) if (out / name).exists()]
    if foreign and not is_results(out / RESULTS):
        raise ValueError(
            f"{out}: found {', '.join(foreign)}, which would be replaced, and no results of a benchmark; {ELSEWHERE}"
        )


def _modalities(task: BenchTask) -> list[str]:
    return sorted(node_type.name for node_type in task.node_types if node_type.signal is not None)


def _introduce(console: Console, task: BenchTask) -> None:
    dataset = task.dataset
    tests = ", ".join(f"{name} {len(held_out):,}" for name, held_out in dataset.tests.items())
    _print(
        console,
        f"{dataset.name}: train {len(dataset.train):,}, valid {len(dataset.valid):,}, {tests}; "
        f"{_target(dataset)}; modalities {', '.join(_modalities(task))}",
    )
    if dataset.caveat:
        _print(console, dataset.caveat, style="yellow")


def _target(dataset: Dataset) -> str:
    return f"{len(dataset.classes)} classes" if dataset.classes else dataset.target


def _conclude(console: Console, results: Results, report: Path) -> None:
    if results.ceilings:
        shown = ", ".join(f"{subset} {found['all']:.3f}" for subset, found in results.ceilings.items())
        _print(console, f"ceilings (the modalities read perfectly, nothing else): {shown}")
    best = results.best(results.models())
    by_group = results.by_group(best)
    if by_group:
        shown = ", ".join(f"{value} {score:.3f}" for value, score in by_group.items())
        _print(console, f"{best}, by {results.group}: {shown}")
    _print(console, f"report, plots and results.json in {report.parent}")


def _print(console: Console, line: str, style: str | None = None) -> None:
    """Print a line unchanged: brackets in names and paths are no markup."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
