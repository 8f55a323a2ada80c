"""Checks numeric arguments of objectives and tasks."""

import math
from numbers import Real


def check_number(
    owner: str,
    name: str,
    found: object,
    expected: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Refuse anything but a finite number within a range.

    Args:
        owner: the class that takes the argument, for the message.
        name: the argument.
        found: its value.
        expected: the range in words.
        least: the number must be at least this.
        above: the number must be above this.
        below: the number must be below this.

    Raises:
        ValueError: names the argument, its value and the range.

    Example:
        >>> check_number("FocalLoss", "gamma", float("nan"), "0 or more", least=0)
        Traceback (most recent call last):
        ...
        ValueError: FocalLoss: found gamma=nan, expected 0 or more
    """
    number = math.nan if isinstance(found, bool) or not isinstance(found, Real) else float(found)  # NaN: in no range
    if not (number >= least and above < number < below):
        raise ValueError(f"{owner}: found {name}={found!r}, expected {expected}")
