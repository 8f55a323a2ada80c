"""Finds the number of a class that a target names."""

from functools import lru_cache
from numbers import Integral

from gnnfuse.sample import Sample, class_name


def class_number(sample: Sample, target: object, classes: tuple[str, ...]) -> int:
    """The position among classes of the one that a target names or, if no name is a number, counts.

    Args:
        sample: the target's, for messages.
        target: a class of it.
        classes: all classes.

    Raises:
        ValueError: it names no class.
    """
    numbers = _numbers_by_name(classes)
    number = numbers.get(target) if isinstance(target, str) else None
    if number is None:
        try:
            name = class_name(target)
            number = numbers.get(name)
            if number is None and _is_index(target) and not any(known.isdigit() for known in classes):
                number = int(name) if 0 <= int(name) < len(classes) else None
        except ValueError:  # not a single value, hence no class
            number = None
    if number is not None:
        return number
    if not classes:
        raise ValueError(
            f"sample {sample.id!r}: found target {target!r}, but there are no classes: no training sample has a target"
        )
    shown = ", ".join(classes[:10]) + (f", ... ({len(classes)} in all)" if len(classes) > 10 else "")
    raise ValueError(f"sample {sample.id!r}: found target {target!r}, expected one of the classes {shown}")


@lru_cache(maxsize=16)
def _numbers_by_name(classes: tuple[str, ...]) -> dict[str, int]:
    """The positions of classes by name and, if no class has that name, by value: "1.0" is class "1"."""
    found = {name: place for place, name in enumerate(classes)}
    for place, name in enumerate(classes):
        found.setdefault(class_name(name), place)
        if name.lower() in ("true", "false"):
            found.setdefault(name.capitalize(), place)
    return found


def _is_index(target: object) -> bool:
    item = target.item() if hasattr(target, "item") else target
    return isinstance(item, Integral) and not isinstance(item, bool)
