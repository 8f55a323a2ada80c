"""The receiver of a command's progress."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Advance(Protocol):
    """Reports that some of the counted work is done."""

    def __call__(self, done: int = 1, *, note: str | None = None) -> None:
        """Count `done` more; a note, kept until the next, tells more about the work."""


class Observer:
    """Receives the progress of a call and ignores it; derive from it, or pass `gnnfuse.Terminal()`, which shows it.

    Example:
        >>> class Printing(Observer):
        ...     def says(self, message: object) -> None:
        ...         print(message)
        >>> observer = Printing()
        >>> observer.says("reading")
        reading
        >>> with observer.begins("reading rows", total=2) as advance:
        ...     advance()
    """

    def says(self, message: object) -> None:
        """Receives a message: a string, or an object whose `str` is one and that `rich` prints better."""

    def begins(self, what: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Called before counted work, of `total` steps if known; the context's function is called as they are done."""
        return nullcontext(_ignore)


def _ignore(done: int = 1, *, note: str | None = None) -> None:
    """Advance without anyone to tell."""
