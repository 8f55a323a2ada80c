"""The run-time check of annotations that the test suite turns on: beartype, for what it can take."""

import random
from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar
from unittest.mock import patch

# beartype draws which entries of a list to look at: here from a generator of its own, as tests watch the global one.
with patch("random.getrandbits", random.Random(0).getrandbits):
    from beartype import BeartypeConf, beartype
    from beartype.roar import BeartypeDecorHintPep3119Exception

P = ParamSpec("P")
R = TypeVar("R")
INT_IS_FLOAT = BeartypeConf(is_pep484_tower=True)  # as type checkers have it


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check a function's arguments and result against its annotations.

    Not checked are `Self` (jaxtyping's hook decorates function by function, and beartype takes `Self` on whole
    classes only) and functions with a protocol that is not for run-time checks among their annotations.
    """
    hints = function.__annotations__.items()
    function.__annotations__ = {name: Any if hint is Self else hint for name, hint in hints}
    try:
        return beartype(conf=INT_IS_FLOAT)(function)
    except BeartypeDecorHintPep3119Exception:
        return function
