"""The benchmark as one function, for the command `gnnfuse bench`."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from gnnfuse import catalog
from gnnfuse.bench.bench_task import BenchTask, MakeTask
from gnnfuse.bench.data.shared_folder import VARIABLE
from gnnfuse.bench.report import write_report
from gnnfuse.bench.results import PLOTS, RESULTS, Results, is_results
from gnnfuse.bench.run import BenchConfig, run_benchmark
from gnnfuse.data.overwriting import ELSEWHERE, refuse_unwritable, refuse_writing_into
from gnnfuse.observer import Observer, or_silent
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
    observer: Observer | None = None,
) -> Results:
    """Train models on a task under one budget, and write the results.

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
        observer: receives progress, and a table of results line by line; none by default.

    Returns:
        The results, as `results.json` in `out` holds them.

    Raises:
        ValueError: an unknown name, missing or damaged data, or too little time.
    """
    observer = or_silent(observer)
    make = cast(MakeTask, catalog.load("benchmark", task))
    seeds = (1 if quick else 2) if seeds is None else seeds
    config = BenchConfig(models=tuple(models), seeds=seeds, minutes=minutes, device=device)
    if out is not None:
        _check_folder(out, data)
    observer.says(f"{task}: {', '.join(models)}; {seeds} seed{'s' * (seeds > 1)} each; reading the data")
    made = replace(make(data, quick), name=task)
    expand(models, _modalities(made))  # refuses unknown ones before anything is written
    out = Path("runs") / f"{task}-{time.strftime('%Y%m%d-%H%M%S')}" if out is None else out
    out.mkdir(parents=True, exist_ok=True)
    remove_unfinished(out)
    for message in _introduction(made):
        observer.says(message)
    try:
        results = run_benchmark(made, config, observer, out=out)
    except KeyboardInterrupt:
        observer.says(f"interrupted; the runs that had finished are in {out / RESULTS}")
        raise
    from gnnfuse.bench.plots import write_plots  # imports matplotlib

    write_report(results, out, {})
    plots, notes = write_plots(results, out)
    write_report(results, out, plots, notes)
    for message in (*notes, *_conclusion(results), f"report, plots and results.json in {out}"):
        observer.says(message)
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


def _introduction(task: BenchTask) -> Iterator[object]:
    from rich.text import Text

    dataset = task.dataset
    tests = ", ".join(f"{name} {len(held_out):,}" for name, held_out in dataset.tests.items())
    target = f"{len(dataset.classes)} classes" if dataset.classes else dataset.target
    yield (
        f"{dataset.name}: train {len(dataset.train):,}, valid {len(dataset.valid):,}, {tests}; {target}; modalities "
        f"{', '.join(_modalities(task))}"
    )
    if dataset.caveat:
        yield Text(dataset.caveat, style="yellow")


def _conclusion(results: Results) -> Iterator[str]:
    if results.ceilings:
        shown = ", ".join(f"{subset} {found['all']:.3f}" for subset, found in results.ceilings.items())
        yield f"ceilings (for reading these modalities perfectly): {shown}"
    best = results.best(results.models())
    if by_group := results.by_group(best):
        shown = ", ".join(f"{value} {score:.3f}" for value, score in by_group.items())
        yield f"{best}, by {results.group}: {shown}"
