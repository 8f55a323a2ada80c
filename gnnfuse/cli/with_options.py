"""Commands whose options are fields of dataclasses."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: each parameter that is a dataclass is replaced by one parameter per field.

    Fields are annotated like parameters of commands and keep their order. The command is called with the dataclasses,
    built from the given options.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Size:
        ...     dim: int = 8
        >>> @with_options
        ... def build(name: str, size: Size) -> None:
        ...     print(name, size)
        >>> inspect.signature(build)
        <Signature (*, name: str, dim: int = 8) -> None>
        >>> build(name="small", dim=4)
        small Size(dim=4)
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: each.annotation for name, each in signature.parameters.items() if is_dataclass(each.annotation)
    }
    parameters = [one for each in signature.parameters.values() for one in _expanded(each)]

    @wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: group(**{each.name: given.pop(each.name) for each in fields(group)}) for name, group in groups.items()
        }
        command(**given, **made)

    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect reads it
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def same_named(kind: Any, *groups: object) -> dict[str, Any]:
    """The values in groups of options whose names are fields of a dataclass.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Both, One = make_dataclass("Both", ["dim", "depth"]), make_dataclass("One", ["dim"])
        >>> same_named(One, Both(8, 2))
        {'dim': 8}
    """
    held = {name: value for group in groups for name, value in vars(group).items()}
    return {each.name: held[each.name] for each in fields(kind) if each.name in held}


def _expanded(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=kind)]
    return [
        inspect.Parameter(each.name, kind, default=each.default, annotation=each.type)
        for each in fields(parameter.annotation)
    ]
