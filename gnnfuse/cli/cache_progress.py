"""Output of `gnnfuse cache`: the columns, progress with rate and time left, and the results."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gnnfuse.data.rejects import REJECTS, write_rejects
from gnnfuse.nodes import PretrainedNodes
from gnnfuse.nodes.pretrained.transformers_library import quiet_loading
from gnnfuse.progress_output import progress_console
from gnnfuse.reading import CacheReport
from gnnfuse.tables import Guess


class Rate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        """The rate of the last seconds, or of the whole task once it is finished."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} rows/s")


class CacheProgress:
    """Progress bars, one per column to encode; used in a `with` statement.

    Args:
        folder: the cache folder; rejects are written there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._console = progress_console(highlight=False)
        name = TextColumn("{task.description}", markup=False)
        columns = (name, BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=progress_console(stderr=True))
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> Self:
        quiet_loading()  # the loader's own bars would overlap with ours
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, guess: Guess, node_types: Sequence[PretrainedNodes], rows: int | None) -> None:
        """Show the guessed columns, and a bar for each column to encode."""
        encoded = {node_type.signal: node_type.model for node_type in node_types}
        for column in guess.summary:
            what = f", by {encoded[column.column]}" if column.column in encoded else ", not encoded"
            self._console.print(f"{column.column}: {column.role} ({column.reason}){what}", markup=False)
        for signal, model in encoded.items():
            self._tasks[signal] = self._progress.add_task(f"{signal} by {model}", total=rows, start=False)

    def advance(self, node_type: PretrainedNodes) -> None:
        """Count one more row."""
        task = self._progress.tasks[self._tasks[node_type.signal]]
        if not task.started:
            self._progress.start_task(task.id)
        self._progress.advance(task.id)

    def conclude(self, reports: Sequence[CacheReport]) -> None:
        """Print a table of results, and write the list of rejects."""
        names = ("column", "rows", "made", "there already", "absent", "unreadable", "seconds")
        table = Table(*names, title=Text(f"Features in {self._folder}"))
        for report in reports:
            numbers = (report.samples, report.made, report.found, report.absent, len(report.rejects))
            table.add_row(
                Text(str(report.node_type.signal)), *(f"{number:,}" for number in numbers), f"{report.seconds:.1f}"
            )
        self._console.print(table)
        rejects = [reject for report in reports for reject in report.rejects]
        write_rejects(self._folder / REJECTS, rejects)  # also an empty list, to replace an earlier run's
        if rejects:
            self._console.print(f"{len(rejects)} signals cannot be read: see {self._folder / REJECTS}", markup=False)
