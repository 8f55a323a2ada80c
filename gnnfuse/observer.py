"""The receiver of a command's progress."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from gnnfuse.catalog import shown


class Advance(Protocol):
    """Reports that some of the counted work is done."""

    def __call__(self, done: int = 1, *, note: str | None = None) -> None:
        """Count `done` more; a note describes the work until the next note."""


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
        """Receives a message: a string, or an object that `rich` prints and whose `str` is the same in plain text."""

    def begins(self, what: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Called before counted work, of `total` units if known; the context gives the function that counts them."""
        return nullcontext(_ignore)


def or_silent(observer: Observer | None) -> Observer:
    """The observer, or one that ignores everything in place of None.

    Raises:
        ValueError: an object that has not both methods, or a class in place of an object.
    """
    if observer is None:
        return Observer()
    found: object = observer
    if isinstance(found, type) or not all(callable(getattr(found, name, None)) for name in ("says", "begins")):
        raise ValueError(f"observer: found {shown(found)}, expected an Observer object, such as Terminal()")
    return observer


def _ignore(done: int = 1, *, note: str | None = None) -> None:
    """Ignore the progress."""
