"""Commands in the terminal: the columns, progress bars with rate and time left, a line per epoch, results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from gnnfuse.progress_output import progress_console
from gnnfuse.tables import Guess
from gnnfuse.workflow.brief_metrics import brief, spelt
from gnnfuse.workflow.observer import Observer

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


class Terminal(Observer):
    """Shows a command's progress.

    Args:
        console: where to write; by default the standard output, as far as it can be written to.

    Example:
        >>> terminal = Terminal(Console(quiet=True))
        >>> with terminal.counting("reading rows", 3) as advance:
        ...     advance()
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = progress_console() if console is None else console

    def says(self, line: str) -> None:
        """Print a line."""
        self.console.print(Text(line), soft_wrap=True)

    def columns(self, guess: Guess) -> None:
        """Print a table of the columns, with the reason for each; if there are many, similar ones together."""
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for head in ("column", "is", "because", "empty", "for example"):
            folds = head == "because"
            table.add_column(head, overflow="fold" if folds else "ellipsis", no_wrap=not folds, min_width=folds * 24)
        for found in guess.summary:
            style = "dim" if found.role == "unused" else None
            cells = (found.column, found.role, found.reason, f"{found.blank:.0%}", found.example)
            table.add_row(*(Text(cell) for cell in cells), style=style)
        self.console.print(table)

    @contextmanager
    def counting(self, what: str, total: int | None) -> Iterator[Callable[[], object]]:
        """Show a bar with the rate and the time left."""
        with self.progress() as progress:
            bar = progress.add_task(what, total=total, note="")
            done = 0

            def advance() -> None:
                nonlocal done
                done += 1
                speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
                progress.update(bar, completed=done, note="" if speed is None else f"{speed:,.0f} rows/s")

            yield advance

    def training(self, epochs: int, monitor: str) -> "Sequence[Callback]":
        """Show a bar over the steps, and print a line per epoch."""
        from gnnfuse.workflow.training_watch import TrainingWatch

        return [TrainingWatch(self.progress, self.says, epochs)]

    def measured(self, split: str, metrics: Mapping[str, float]) -> None:
        """Print the metrics of a split."""
        numbers = ", ".join(f"{spelt(name)} {value:.4g}" for name, value in brief(metrics).items())
        self.console.print(Text(f"{split}: {numbers}", style="bold" if split == "test" else ""), soft_wrap=True)

    def progress(self) -> Progress:
        """A bar with its rate and the time left; not started."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
