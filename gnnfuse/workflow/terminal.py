"""Commands in the terminal: what the columns are, bars with rates and time left, a line per epoch, results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lightning
from lightning.pytorch.callbacks import Callback
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

from gnnfuse.data.tables import Guess
from gnnfuse.graph import GraphBatch
from gnnfuse.progress_output import progress_console
from gnnfuse.workflow.brief_metrics import brief, spelt
from gnnfuse.workflow.observer import Observer

if TYPE_CHECKING:
    from rich.progress import TaskID


class Terminal(Observer):
    """Shows how far a command is.

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
        """A line."""
        self.console.print(Text(line), soft_wrap=True)

    def columns(self, guess: Guess) -> None:
        """A table of the columns, with the reason for each; alike ones together, where there are many."""
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for head in ("column", "is", "because", "empty", "for example"):
            table.add_column(head, overflow="fold" if head == "because" else "ellipsis", no_wrap=head != "because")
        for found in guess.summary:
            style = "dim" if found.role == "unused" else None
            cells = (found.column, found.role, found.reason, f"{found.blank:.0%}", found.example)
            table.add_row(*(Text(cell) for cell in cells), style=style)
        self.console.print(table)

    @contextmanager
    def counting(self, what: str, total: int | None) -> Iterator[Callable[[], object]]:
        """A bar with the rate and the time left."""
        with self._progress() as progress:
            bar = progress.add_task(what, total=total, note="")
            done = 0

            def advance() -> None:
                nonlocal done
                done += 1
                speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
                progress.update(bar, completed=done, note="" if speed is None else f"{speed:,.0f} rows/s")

            yield advance

    def training(self, epochs: int, monitor: str) -> Sequence[Callback]:
        """A bar over the steps, and a line per epoch."""
        return [_Watch(self, epochs, monitor)]

    def measured(self, split: str, metrics: Mapping[str, float]) -> None:
        """The metrics of a split."""
        numbers = ", ".join(f"{spelt(name)} {value:.4g}" for name, value in brief(metrics).items())
        self.console.print(Text(f"{split}: {numbers}", style="bold" if split == "test" else ""), soft_wrap=True)

    def _progress(self) -> Progress:
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


class _Watch(Callback):
    """Follows a training run."""

    def __init__(self, terminal: Terminal, epochs: int, monitor: str) -> None:
        self.terminal, self.epochs, self.monitor = terminal, epochs, monitor
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._samples = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self._progress = self.terminal._progress()
        total = float(trainer.num_training_batches)
        self._bar = self._progress.add_task("training", total=total, note="")
        self._progress.start()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._progress is not None and self._bar is not None:
            self._samples = 0
            epoch = f"epoch {trainer.current_epoch + 1}/{self.epochs}"
            self._progress.reset(self._bar, description=epoch, total=float(trainer.num_training_batches))

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: GraphBatch,
        number: int,
    ) -> None:
        if self._progress is not None and self._bar is not None:
            self._samples += len(batch)
            elapsed = self._progress.tasks[0].elapsed or 0.0
            rate = f"{self._samples / elapsed:,.0f} samples/s" if elapsed > 0 else ""
            self._progress.update(self._bar, completed=number + 1, note=rate)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._progress is None:
            return
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        metrics = "  ".join(
            f"{spelt(name.removeprefix('valid_'))} {value:.4{'g' if '.' in name else 'f'}}"
            for name, value in brief(found).items()
            if name.startswith("valid_") and name != "valid_loss"
        )
        line = f"epoch {trainer.current_epoch + 1:>3}  training loss {found['train_loss']:.4f}  "
        self.terminal.says(f"{line}validation loss {found['valid_loss']:.4f}  {metrics}")

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if self._progress is not None:
            self._progress.stop()
