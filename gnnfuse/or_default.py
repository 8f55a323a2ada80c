"""Arguments that have a default object; imports nothing large."""

from collections.abc import Callable
from typing import Any, TypeVar

from gnnfuse.catalog import shown

Kind = TypeVar("Kind")


def or_default(name: str, given: Kind | None, kind: type[Kind], default: Callable[[], Kind] | None = None) -> Kind:
    """The argument, or the default in place of None.

    Args:
        name: of the argument, for the message.
        given: the argument.
        kind: its class.
        default: makes the default; the class itself if left out.

    Raises:
        ValueError: an object of another class, or a class in place of an object.

    Example:
        >>> or_default("width", None, int)
        0
        >>> or_default("width", "8", int)
        Traceback (most recent call last):
        ...
        ValueError: width: found a str, expected int(...)
    """
    if given is None:
        return (kind if default is None else default)()
    found: Any = given
    if not isinstance(found, kind):
        raise ValueError(f"{name}: found {shown(found)}, expected {kind.__name__}(...)")
    return given
