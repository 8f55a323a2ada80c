"""Metrics for people: without those of single numbers if there are many, and with names spelt out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

MOST = 20  # numbers whose own metrics are listed


def brief(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics, without those of single numbers ("mean_absolute_error.mass") if there are more than 20 numbers.

    Example:
        >>> many = {f"mean_absolute_error.{place}": 1.0 for place in range(300)}
        >>> brief({"normalized_mean_absolute_error": 0.5, **many})
        {'normalized_mean_absolute_error': 0.5}
    """
    numbers = {name.partition(".")[2] for name in metrics if "." in name}
    return {name: value for name, value in metrics.items() if "." not in name or len(numbers) <= MOST}


def spelt(name: str) -> str:
    """A metric's name in words.

    Example:
        >>> spelt("macro_f1"), spelt("mean_absolute_error.body_mass")
        ('macro f1', 'mean absolute error of body_mass')
    """
    metric, _, number = name.partition(".")
    return metric.replace("_", " ") + (f" of {number}" if number else "")


def measured_line(split: str, metrics: Mapping[str, float]) -> "Text":
    """The metrics of a split in one line, which stands out for test rows.

    Example:
        >>> str(measured_line("test", {"macro_f1": 0.75}))
        'test: macro f1 0.75'
    """
    from rich.text import Text

    numbers = ", ".join(f"{spelt(name)} {value:.4g}" for name, value in brief(metrics).items())
    return Text(f"{split}: {numbers}", style="bold" if split == "test" else "")
