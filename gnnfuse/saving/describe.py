"""An object's construction as plain JSON: its class, and its constructor's arguments.

The convention is scikit-learn's: a configurable object keeps every argument of its constructor under the argument's
own name, so that the constructor's signature is enough to read its configuration back.
"""

import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

Json = None | bool | int | float | str | list[Any] | dict[str, Any]  # Any: JSON again
ARRAY_LIKE = ("Tensor", "Parameter", "ndarray")


def describe(value: object, where: str = "") -> Json:
    """The description from which `build` makes the object again.

    Numbers, strings and None stand for themselves, a tuple is a JSON array; everything else is an object with one of
    the keys "class" (with its "arguments", or without them for the class itself), "partial", "list", "dict", "set" or
    "float" (for values that JSON cannot represent: nan, inf, -inf).

    Args:
        value: an object that keeps its arguments, or a plain value.
        where: names the place in error messages; the class by default.

    Raises:
        ValueError: something cannot be described: an argument that the object does not keep, a function, a tensor;
            names its place.

    Example:
        >>> from gnnfuse.edges import Window
        >>> described = describe(Window(size=3))
        >>> described["class"], described["arguments"]["size"]
        ('gnnfuse.edges.window:Window', 3)
    """
    where = where or (value.__name__ if isinstance(value, type) else type(value).__name__)
    match value:
        case float() if not math.isfinite(value):
            return {"float": repr(value)}
        case None | bool() | int() | float() | str() if type(value) in (type(None), bool, int, float, str):
            return value
        case type():
            return {"class": place_of(value)}
        case functools.partial():
            return _partial(value, where)
        case tuple() if type(value) is tuple:
            return _each(value, where)
        case nn.ModuleList():
            return _each(tuple(value), where)
        case list():
            return {"list": _each(value, where)}
        case set() | frozenset():
            return {"set": _each(tuple(sorted(value, key=repr)), where)}
        case Mapping() | nn.ModuleDict():
            return {"dict": _named(dict(value.items()), where)}
    return {"class": place_of(type(value)), "arguments": _named(_arguments(value, where), where)}


def place_of(cls: type) -> str:
    """Where a class is defined, as "module:name"."""
    return f"{cls.__module__}:{cls.__qualname__}"


def short_name(place: str) -> str:
    """The class's own name in "module:name"; the last part, if the class is defined within a class or function."""
    return place.rpartition(":")[2].rpartition(".")[2]


def places_in(described: Json) -> Iterator[str]:
    """Every class that a description names, as "module:name"."""
    if isinstance(described, list):
        for item in described:
            yield from places_in(item)
    elif isinstance(described, Mapping):
        for key in ("class", "partial"):
            if isinstance(described.get(key), str):
                yield described[key]
        for item in described.values():
            yield from places_in(item)


def lost_arguments(value: object) -> tuple[str, ...]:
    """Names of the constructor's arguments that the object does not keep."""
    return tuple(name for name in _parameters(value) if not hasattr(value, name))


def _partial(value: "functools.partial[object]", where: str) -> Json:
    if not isinstance(value.func, type):
        raise ValueError(f"{where}: found a partial of {value.func!r}, expected a partial of a class")
    described: dict[str, Json] = {"partial": place_of(value.func), "arguments": _named(value.keywords, where)}
    return described | ({"positional": _each(value.args, where)} if value.args else {})


def _each(values: tuple[object, ...] | list[object], where: str) -> list[Json]:
    return [describe(item, f"{where}[{place}]") for place, item in enumerate(values)]


def _named(values: Mapping[Any, object], where: str) -> dict[str, Json]:
    unnamed = [key for key in values if not isinstance(key, str)]
    if unnamed:
        raise ValueError(f"{where}: found key {unnamed[0]!r}, expected strings as keys")
    return {name: describe(item, f"{where}.{name}") for name, item in values.items()}


def _arguments(value: object, where: str) -> Mapping[str, object]:
    if inspect.isroutine(value):
        raise ValueError(f"{where}: found function {value!r}, expected a class or an object that keeps its arguments")
    if hasattr(value, "save_pretrained") and not isinstance(value, nn.Module):
        raise ValueError(
            f"{where}: found a {type(value).__name__}, which has files of its own: save it with its save_pretrained "
            "and pass the folder instead"
        )
    if type(value).__name__ in ARRAY_LIKE:
        raise ValueError(f"{where}: found a {type(value).__name__}, expected numbers, strings or objects made of them")
    lost = lost_arguments(value)
    if lost:
        raise ValueError(
            f"{where}: {type(value).__name__} does not keep its argument {lost[0]!r}; "
            f"set self.{lost[0]} in its constructor, so that it can be saved"
        )
    return {name: getattr(value, name) for name in _parameters(value)}


def _parameters(value: object) -> tuple[str, ...]:
    cls = type(value)
    if isinstance(value, tuple):
        return tuple(getattr(cls, "_fields", ()))  # a NamedTuple is made by __new__
    if cls.__init__ in (object.__init__, nn.Module.__init__):  # inherited: no arguments of its own
        return ()
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    collecting = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if collecting:
        raise ValueError(f"{cls.__name__} takes {collecting[0]}, expected named arguments only")
    return tuple(parameter.name for parameter in parameters)
