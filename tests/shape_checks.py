"""The run-time check of annotations that the test suite turns on: beartype, apart from `Self`."""

from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar

from beartype import beartype

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check a function's arguments and result against its annotations.

    jaxtyping's hook decorates function by function, and beartype takes `Self` on whole classes only.
    """
    hints = function.__annotations__.items()
    function.__annotations__ = {name: Any if hint is Self else hint for name, hint in hints}
    return beartype(function)
