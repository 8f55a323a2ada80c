"""Printing of progress: output that cannot be written is dropped, and the work continues."""

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from rich.console import Console

LOST = (OSError, ValueError, AttributeError)  # the system refuses, the stream was closed, or there is none


def progress_console(*, stderr: bool = False, **options: Any) -> Console:
    """A console that survives a closed pipe (`| head`) and a full or closed file.

    Args:
        stderr: print to standard error.
        options: as `rich.console.Console` takes them.
    """
    return Console(file=cast(TextIO, _Dropping("stderr" if stderr else "stdout")), **options)


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
