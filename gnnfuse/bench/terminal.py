"""A benchmark in the terminal: progress bars while it runs, a line per model as it ends."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gnnfuse.bench.results import Results, Row, columns, summary

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

LEFT = 2  # columns of words; numbers are right-aligned


class BenchTerminal:
    """Shows the progress of a benchmark.

    Args:
        console: where to write.
        seeds: seeds per model: a model's line is printed after its last one.
        runs: total number of runs.

    Example:
        >>> with BenchTerminal(Console(quiet=True), seeds=2, runs=4) as terminal:
        ...     advance = terminal.reading(100)
    """

    def __init__(self, console: Console, *, seeds: int, runs: int) -> None:
        self.console = console
        self.seeds = seeds
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._runs = self.progress.add_task("runs", total=runs, note="")
        self._current: TaskID | None = None
        self._widths: list[int] = []

    def __enter__(self) -> "BenchTerminal":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def reading(self, samples: int) -> Callable[[], None]:
        """Called before the samples are read."""
        bar = self.progress.add_task("reading samples", total=samples, note="")
        return lambda: self.progress.advance(bar)

    def training(self, model: str, seed: int, metric: str) -> "Sequence[Callback]":
        """Called before a run."""
        from gnnfuse.bench.run_watch import RunWatch

        if self._current is not None:
            self.progress.remove_task(self._current)
        self._current = self.progress.add_task(f"{model}, seed {seed}", total=None, note="")
        return [RunWatch(self.progress, self._current, metric)]

    def finished(self, results: Results, row: Row) -> None:
        """Called after a run; prints the model's line after its last seed."""
        self.progress.advance(self._runs)
        if len(results.of(row.model)) < self.seeds:
            return
        cells = summary(results, row.model)
        if not self._widths:
            self._widths = [max(len(head), width) for head, width in zip(columns(results), _room(results), strict=True)]
            self._print(columns(results), style="bold")
        self._print(cells)

    def _print(self, cells: Sequence[str], style: str | None = None) -> None:
        padded = [
            cell.ljust(width) if place < LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, self._widths, strict=True))
        ]
        self.console.print("  ".join(padded), style=style, markup=False, highlight=False, soft_wrap=True)


def _room(results: Results) -> list[int]:
    """Column widths: names, mean ± deviation, numbers."""
    scores = 1 + len(results.other_tests())
    return [max(18, *(len(model) for model in results.models())), 9, *[13] * scores, 10, 7, 9, 7, 6]
