"""Building objects from descriptions, of classes that the catalogue lists, a stage exports or the caller names."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module

from gnnfuse import catalog
from gnnfuse.saveable import checked_classes
from gnnfuse.saving.describe import Json, place_of, places_in, short_name
from gnnfuse.saving.within_bounds import BoundsError

STAGES = ("nodes", "edges", "graph", "message_passing", "readout", "fusion", "tasks")
KINDS = tuple(kind for kind in catalog.KINDS if kind != "benchmark")  # a benchmark is a function


def build(described: Json, *, classes: Sequence[type] = ()) -> object:
    """The object that `describe` described.

    A class is searched for among those passed in, by its place ("module:name"); then among the exports of this
    library's stages; then among the catalogue entries of installed plug-ins. A class found nowhere there, because it
    has moved or was defined in a script or notebook (`__main__`), is the only class passed in that has its name.
    Nothing else is imported or called.

    Args:
        described: a description from `describe`, perhaps read from a file.
        classes: the caller's own classes that may be built.

    Raises:
        ValueError: a class that is not allowed, arguments its constructor does not take, or an invalid description.

    Example:
        >>> build({"class": "gnnfuse.edges.window:Window", "arguments": {"size": 3}})
        Window(size=3, types=None, name='window')
        >>> build({"class": "os:system", "arguments": {"command": "true"}})
        Traceback (most recent call last):
        ...
        ValueError: class os:system is not listed in the catalogue; if you trust it, pass it in classes=
    """
    return _build(described, _by_place(described, checked_classes(classes)))


def _by_place(described: Json, classes: Sequence[type]) -> Mapping[str, type]:
    """The classes passed in, by their places and by those former places of theirs that the description names."""
    known = {place_of(cls): cls for cls in classes}
    places = set(places_in(described))
    moved = {}
    for place in places - known.keys():
        name = short_name(place)
        rivals = [other for other in places if short_name(other) == name and not other.startswith("gnnfuse.")]
        named = [cls for there, cls in known.items() if short_name(there) == name]
        if len(named) == 1 and rivals == [place] and not any(place_of(cls) == place for cls in _plugged_in(place)):
            moved[place] = named[0]
    return known | moved


def _build(described: Json, known: Mapping[str, type]) -> object:
    if isinstance(described, list):
        return tuple(_build(item, known) for item in described)
    if not isinstance(described, dict):
        return described
    match described:
        case {"float": str() as text, **rest} if not rest and text in ("nan", "inf", "-inf"):
            return float(text)
        case {"list": list() as items, **rest} if not rest:
            return [_build(item, known) for item in items]
        case {"set": list() as items, **rest} if not rest:
            return frozenset(_build(item, known) for item in items)
        case {"dict": dict() as items, **rest} if not rest:
            return {name: _build(item, known) for name, item in items.items()}
        case {"class": str() as place, **rest} if not rest:
            return _find(place, known)
        case {"class": str() as place, "arguments": dict() as items, **rest} if not rest:
            return _make(_find(place, known), place, items, known)
        case {"partial": str() as place, "arguments": dict() as items}:
            arguments = {name: _build(item, known) for name, item in items.items()}
            positional = _build(described.get("positional", []), known)
            assert isinstance(positional, tuple)
            return functools.partial(_find(place, known), *positional, **arguments)
    raise ValueError(
        f"found an object with the keys {sorted(described)}, expected a description from gnnfuse.saving.describe"
    )


def _make(cls: type, place: str, items: Mapping[str, Json], known: Mapping[str, type]) -> object:
    arguments = {name: _build(item, known) for name, item in items.items()}
    try:
        return cls(**arguments)
    except (ValueError, FileNotFoundError, BoundsError):
        raise
    except Exception as error:  # any error of the class or of the library behind it
        reason = str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{place} cannot be built from the arguments {', '.join(arguments)}: {reason}") from error


def _find(place: str, known: Mapping[str, type]) -> type:
    if place in known:
        return known[place]
    own = place.startswith("gnnfuse.")
    for cls in _exported(place) if own else _plugged_in(place):
        if place_of(cls) == place:
            return cls
    passed = f" (found there: {', '.join(map(place_of, known.values()))})" if known else ""
    raise ValueError(f"class {place} is not listed in the catalogue; if you trust it, pass it in classes={passed}")


def _exported(place: str) -> Iterable[type]:
    stage = place.removeprefix("gnnfuse.").partition(":")[0].partition(".")[0]
    if stage in STAGES:
        module = import_module(f"gnnfuse.{stage}")
        yield from (found for name in module.__all__ if isinstance(found := getattr(module, name), type))
    for kind in KINDS:
        if place in catalog.entries(kind).values():
            yield _load(place)


def _plugged_in(place: str) -> Iterable[type]:
    package = place.partition(":")[0].partition(".")[0]
    listed = [reference for kind in KINDS for reference in catalog.entries(kind).values()]
    for reference in listed:  # an entry may name the package that re-exports the class
        if reference.partition(":")[0].partition(".")[0] == package:
            yield _load(reference)


def _load(reference: str) -> type:
    module, _, name = reference.partition(":")
    found = getattr(import_module(module), name)
    if not isinstance(found, type):
        raise ValueError(f"the catalogue lists {reference}, found {found!r}, expected a class")
    return found
