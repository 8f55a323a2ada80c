"""Random cases: a few in every run of the suite, the others with `pytest -m long`."""

from collections.abc import Sequence
from typing import Any

import pytest


def few(count: int, *, of: int) -> Sequence[Any]:
    """The numbers below `of`, those from `count` on marked `long`."""
    return [*range(count), *(pytest.param(number, marks=pytest.mark.long) for number in range(count, of))]
