"""Receivers of a command's progress: the terminal, or nothing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from gnnfuse.tables import Guess

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


class Observer:
    """Receives a command's progress and ignores it; `Terminal` shows it."""

    def says(self, line: str) -> None:
        """Receives a message for the user."""

    def columns(self, guess: Guess) -> None:
        """Receives the guessed columns, before they are used."""

    def counting(self, what: str, total: int | None) -> "AbstractContextManager[Callable[[], object]]":
        """Called before something is done `total` times; the returned function is called after each."""
        return nullcontext(lambda: None)

    def training(self, epochs: int, monitor: str) -> "Sequence[Callback]":
        """Called before training; the returned callbacks watch it."""
        return ()

    def measured(self, split: str, metrics: Mapping[str, float]) -> None:
        """Called after a model was measured."""
