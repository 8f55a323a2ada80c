"""Class weights for classes of unequal size."""

import math
from collections.abc import Iterable, Mapping, Sequence

MOST = 10.0  # a class with one sample must not outweigh all others


def balanced_weights(counts: Mapping[str, int], classes: Sequence[str], *, power: float = 1.0) -> tuple[float, ...]:
    """Weights that increase the influence of small classes, 1 per sample on average; none above 10 times another.

    Args:
        counts: class -> training samples.
        classes: the classes, in order.
        power: 1 gives all classes equal total weight, 0 all samples equal weight; values between compromise.

    Example:
        >>> balanced_weights({"cat": 30, "dog": 10}, ("cat", "dog"))
        (0.6666666666666666, 2.0)
    """
    numbers = [max(1, counts.get(name, 0)) for name in classes]
    raw = [max(number, max(numbers) / MOST) ** -power for number in numbers]
    mean = sum(weight * number for weight, number in zip(raw, numbers, strict=True)) / sum(numbers)
    return tuple(weight / mean for weight in raw)


def positive_weights(counts: Mapping[str, int], classes: Sequence[str], samples: int) -> tuple[float, ...]:
    """Weights that give having a label the same total weight as not having it; between 1 and 10.

    Args:
        counts: label -> training samples that have it.
        classes: the labels, in order.
        samples: training samples.

    Example:
        >>> positive_weights({"red": 20, "round": 1}, ("red", "round"), 100)
        (4.0, 10.0)
    """
    numbers = [max(1, counts.get(name, 0)) for name in classes]
    return tuple(min(MOST, max(1.0, (samples - number) / number)) for number in numbers)


def checked_weights(weights: Iterable[float]) -> tuple[float, ...]:
    """The weights as plain numbers, which can be saved.

    Raises:
        ValueError: not numbers, or a weight that is not above 0 and finite.
    """
    listed: object = weights
    try:
        listed = tuple(weights)
        numbers = tuple(map(float, listed))
    except (TypeError, ValueError):
        numbers = (math.nan,)
    if not all(0 < number < math.inf for number in numbers):
        raise ValueError(f"class_weights must be positive numbers, found {listed}")
    return numbers
