"""Commands in the terminal: messages, and bars with rate and time left.

Output that cannot be written is dropped, and the work continues.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from gnnfuse.observer import Advance, Observer

LOST = (OSError, ValueError, AttributeError)  # the write fails, the stream is closed, or there is none


class Terminal(Observer):
    """Shows the progress of a call: messages as lines, and counted work as bars if the output is a terminal.

    Args:
        console: where to write; by default the standard output.
        stderr: write to standard error instead.

    Example:
        >>> terminal = Terminal(Console(quiet=True))
        >>> with terminal.begins("reading rows", 3) as advance:
        ...     advance()
    """

    def __init__(self, console: Console | None = None, *, stderr: bool = False) -> None:
        stream = cast(TextIO, _Dropping("stderr" if stderr else "stdout"))
        self.console = Console(file=stream) if console is None else console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _NoteOrRate(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def says(self, message: object) -> None:
        """Print a message; a string is printed unchanged, because brackets in names and paths are not markup."""
        plain = isinstance(message, str | Text)
        self.console.print(Text(message) if isinstance(message, str) else message, soft_wrap=plain)

    @contextmanager
    def begins(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar, below the bars of the work that contains this work."""
        bar = self._bars.add_task(what, total=total, note=None)

        def advance(done: int = 1, *, note: str | None = None) -> None:
            self._bars.advance(bar, done)
            if note is not None:
                self._bars.update(bar, note=note)

        outermost = len(self._bars.tasks) == 1
        if outermost:
            self._bars.start()
        try:
            yield advance
        finally:
            if outermost:
                self._bars.stop()
            self._bars.remove_task(bar)


class _NoteOrRate(ProgressColumn):
    """The latest note, or the rate per second of work without notes."""

    def render(self, task: Task) -> Text:
        note, speed = task.fields["note"], task.finished_speed or task.speed or 0
        return Text(f"{speed:,.{1 if speed < 10 else 0}f}/s" if note is None and speed else note or "")


class _Dropping:
    """The current standard stream of a name, looked up at every write."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, text: str) -> int:
        with suppress(*LOST):
            getattr(sys, self._name).write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(*LOST):
            getattr(sys, self._name).flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self._name), name)
