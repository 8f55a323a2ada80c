"""An observer for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from gnnfuse.observer import Advance, Observer


class Told(Observer):
    """Keeps what it is told.

    Attributes:
        lines: messages.
        counted: work -> how much of it was done.
        notes: notes on work.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counted: dict[str, int] = {}
        self.notes: list[str] = []

    def says(self, message: object) -> None:
        self.lines.append(str(message))

    @contextmanager
    def begins(self, what: str, total: int | None = None) -> Iterator[Advance]:
        self.counted[what] = 0

        def advance(done: int = 1, *, note: str | None = None) -> None:
            self.counted[what] += done
            self.notes += [] if note is None else [note]

        yield advance
