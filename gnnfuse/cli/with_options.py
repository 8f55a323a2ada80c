"""Commands whose options are fields of dataclasses."""

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import Field, fields, is_dataclass
from functools import reduce, wraps
from inspect import Parameter
from operator import or_
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

LIST = " Several by repeating the option; '' for none."


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: each parameter that is a dataclass is replaced by one option per field.

    Fields keep their order. The last string of a field's annotation is the option's help, one before it its name;
    options that need more are annotated by a `typer.Option`. A parameter may be annotated by the panel of its options
    and by a tuple of fields: then only these become options. The command is called with the dataclasses, built from
    the given options.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Size:
        ...     dim: Annotated[int, "--width", "Size of the states."] = 8
        >>> @with_options
        ... def build(name: str, size: Annotated[Size, "Model"]) -> None:
        ...     print(name, size)
        >>> list(inspect.signature(build).parameters)
        ['name', 'width']
        >>> build(name="small", width=4)
        small Size(dim=4)
    """
    signature = inspect.signature(command)
    groups: dict[str, tuple[Any, dict[str, Parameter]]] = {}
    parameters: list[Parameter] = []
    for each in signature.parameters.values():
        kind, about = _annotation(each.annotation)
        if is_dataclass(kind):
            groups[each.name] = kind, _options(kind, about)
            parameters += groups[each.name][1].values()
        else:
            parameters.append(each.replace(kind=Parameter.KEYWORD_ONLY))

    @wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: kind(**{field: given.pop(option.name) for field, option in options.items()})
            for name, (kind, options) in groups.items()
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


def _annotation(hint: Any) -> tuple[Any, Sequence[Any]]:
    """A type and its annotations."""
    return (get_args(hint)[0], hint.__metadata__) if hasattr(hint, "__metadata__") else (hint, ())


def _options(kind: Any, about: Sequence[Any]) -> dict[str, Parameter]:
    """Field -> the option that sets it."""
    panel = next((each for each in about if isinstance(each, str)), None)
    chosen = next((each for each in about if isinstance(each, tuple)), None)
    return {each.name: _option(each, panel) for each in fields(kind) if chosen is None or each.name in chosen}


def _option(field: "Field[Any]", panel: str | None) -> Parameter:
    hint, (*names, about) = _annotation(field.type)
    hint, name = _plain(hint), names[0] if names else f"--{field.name.replace('_', '-')}"
    if isinstance(about, str):
        several = LIST if hint == list[str] | None else ""
        flag = [name] if names or field.default is False else []  # without its opposite
        about = typer.Option(*flag, help=about + several)
    about = copy(about)
    about.rich_help_panel = panel
    name = name.removeprefix("--").replace("-", "_")
    return Parameter(name, Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[hint, about])


def _plain(hint: Any) -> Any:
    """The type as typer takes it: sequences become lists, and a path or text becomes a path.

    Example:
        >>> _plain(Sequence[str] | None), _plain(Path | str | None)
        (list[str] | None, pathlib.Path | None)
    """
    kinds = get_args(hint)
    if Path not in kinds and Sequence[str] not in kinds:
        return hint
    return reduce(or_, [list[str] if each == Sequence[str] else each for each in kinds if each is not str])
