"""The run-time check of annotations in the test suite: beartype for types, jaxtyping where shapes are named."""

import functools
import inspect
import random
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, ParamSpec, Self, TypeVar, get_args, get_type_hints
from unittest.mock import patch

import jaxtyping

# beartype draws which entries of a list to look at: here from a generator of its own, as tests watch the global one.
with patch("random.getrandbits", random.Random(0).getrandbits):
    from beartype import BeartypeConf, beartype
    from beartype.roar import BeartypeDecorHintPep3119Exception

P = ParamSpec("P")
R = TypeVar("R")
SIZES = jaxtyping.jaxtyped
INT_IS_FLOAT = BeartypeConf(is_pep484_tower=True)  # as type checkers have it


def install(modules: list[str]) -> None:
    """Check every call of what these modules define; before anything imports them.

    jaxtyping's own decorator binds every call's arguments and checks them twice, which was more than a third of the
    suite's processor time. Here beartype checks arguments and result, once each; sizes by name are remembered, in
    jaxtyping's context, for the functions that name shapes.
    """

    def decorated(*, typechecker: object) -> Callable[[Any], Any]:
        def decorate(what: Any) -> Any:
            made = vars(what).get("__init__") if inspect.isclass(what) and is_dataclass(what) else what
            if not inspect.isfunction(made):
                return what
            if made is what:
                return switchable(made)
            if not hasattr(made, "__wrapped__"):  # the class's own `__init__` has been decorated as a function
                what.__init__ = switchable(made)
            return what

        return decorate

    jaxtyping.jaxtyped = decorated  # type: ignore[assignment]  # the name that the hook writes into modules
    jaxtyping.install_import_hook(modules, typechecker=None)


def resolved(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's hints, with strings replaced by what they name."""

    def known(hint: Any) -> Any:
        def holder() -> None: ...

        holder.__annotations__ = {"hint": hint}
        try:
            found = get_type_hints(holder, function.__globals__, include_extras=True)["hint"]
        except NameError:  # defined further down, or imported for type checkers only
            return Any
        return Any if found is Self else found  # beartype takes `Self` on whole classes only

    return {name: known(hint) for name, hint in function.__annotations__.items()}


def names_shapes(hint: Any) -> bool:
    """Whether a hint is or holds one of jaxtyping's."""
    if inspect.isclass(hint):
        return issubclass(hint, jaxtyping.AbstractArray)
    return any(map(names_shapes, get_args(hint)))


def switchable(function: Callable[P, R]) -> Callable[P, R]:
    """The function with its calls checked, like jaxtyping's not while `jaxtyping_disable` is set."""
    hints = resolved(function)
    typed = checked(function, hints)
    config = jaxtyping.config

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return (function if config.jaxtyping_disable else typed)(*args, **kwargs)

    @functools.wraps(function)
    def call_with_shapes(*args: P.args, **kwargs: P.kwargs) -> R:
        if config.jaxtyping_disable:
            return function(*args, **kwargs)
        with SIZES("context"):
            return typed(*args, **kwargs)

    return call_with_shapes if any(map(names_shapes, hints.values())) else call


def checked(function: Callable[P, R], hints: dict[str, Any]) -> Callable[P, R]:
    """Check a function's arguments and result against its hints.

    Not checked are `Self`, names that cannot be found yet, and functions with a protocol that is not for run-time
    checks among their annotations.
    """
    annotations = function.__annotations__
    function.__annotations__ = hints
    try:
        return beartype(conf=INT_IS_FLOAT)(function)
    except BeartypeDecorHintPep3119Exception:
        return function
    finally:
        function.__annotations__ = annotations
