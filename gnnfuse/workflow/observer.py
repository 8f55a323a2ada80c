"""Who is told how far a command is: the terminal, or nobody."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from gnnfuse.tables import Guess

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


class Observer:
    """Is told how far a command is, and does nothing with it; the terminal's does more."""

    def says(self, line: str) -> None:
        """Something a user should know."""

    def columns(self, guess: Guess) -> None:
        """What the columns were taken for, before they are used."""

    def counting(self, what: str, total: int | None) -> "AbstractContextManager[Callable[[], object]]":
        """Before something is done `total` times; what comes out is called after each."""
        return nullcontext(lambda: None)

    def training(self, epochs: int, monitor: str) -> "Sequence[Callback]":
        """Before training; what comes out watches it."""
        return ()

    def measured(self, split: str, metrics: Mapping[str, float]) -> None:
        """After a model was measured."""
