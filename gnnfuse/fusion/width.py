"""Finds the width of a model from its number of parameters."""

import math
from collections.abc import Callable
from functools import cache

NEAR = 0.05  # relative to the requested number
WIDEST = 16_384  # as wide as the widest language models


def width_for(parameters: int, count: Callable[[int], int], *, step: int) -> int:
    """The multiple of `step` whose number of parameters comes nearest to the requested one.

    The number grows roughly with the square of the width; the search brackets it and interpolates square roots. It
    tries no width above 16,384.

    Args:
        parameters: the requested number.
        count: width -> number of parameters; must not shrink with the width.
        step: the width must be a multiple of it.

    Raises:
        ValueError: no positive number, or no width within 5%; names the two nearest.

    Example:
        >>> width_for(1000, lambda width: width * width, step=4)
        32
        >>> width_for(1000, lambda width: width * width, step=20)
        Traceback (most recent call last):
        ...
        ValueError: found parameters=1000, expected a number within 5% of that of some width; the nearest are \
400 (dim=20) and 1,600 (dim=40)
    """
    if not isinstance(parameters, int | float) or isinstance(parameters, bool) or not 1 <= parameters < math.inf:
        raise ValueError(f"found parameters={parameters!r}, expected a positive number")
    counted = cache(lambda multiple: count(multiple * step))
    low, high = _bracket(parameters, counted, max(2, WIDEST // step))
    while high - low > 1:
        start, found, end = (math.sqrt(number) for number in (counted(low), parameters, counted(high)))
        middle = min(high - 1, max(low + 1, round(low + (high - low) * (found - start) / (end - start))))
        low, high = (middle, high) if counted(middle) < parameters else (low, middle)
    best = min((low, high), key=lambda multiple: abs(counted(multiple) - parameters))
    if abs(counted(best) - parameters) > NEAR * parameters:
        sizes = " and ".join(f"{counted(each):,} (dim={each * step})" for each in (low, high))
        raise ValueError(
            f"found parameters={parameters}, expected a number within 5% of that of some width; the nearest are {sizes}"
        )
    return best * step


def _bracket(parameters: int, counted: Callable[[int], int], most: int) -> tuple[int, int]:
    """Two multiples whose numbers enclose the requested one; the two smallest or largest if no two do."""
    low, high = 1, 2
    while counted(high) < parameters:
        if high == most:
            return most - 1, most
        growth = min(4.0, math.sqrt(parameters / max(1, counted(high))))
        low, high = high, min(most, max(high + 1, math.ceil(high * growth)))
    return low, high
