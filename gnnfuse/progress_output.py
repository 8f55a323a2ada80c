"""Where progress is printed: what cannot be written is dropped, and the work goes on."""

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from rich.console import Console

LOST = (OSError, ValueError, AttributeError)  # the system refuses, it was closed, there is none


def progress_console(*, stderr: bool = False, **options: Any) -> Console:
    """A console whose reader may be gone (`| head`), or whose file may be full or closed.

    Args:
        stderr: on standard error.
        options: as `rich.console.Console` takes them.
    """
    return Console(file=cast(TextIO, _Dropping("stderr" if stderr else "stdout")), **options)


class _Dropping:
    """The standard stream of a name, as it is when something is written."""

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
