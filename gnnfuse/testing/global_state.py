"""Global state that a call must not change, and memory that reveals unwritten results."""

import os
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

STATE: Mapping[str, Callable[[], object]] = {
    "torch's random state": lambda: torch.get_rng_state().tolist(),
    "Python's random state": random.getstate,
    "numpy's random state": lambda: repr(np.random.get_state(legacy=True)),  # noqa: NPY002 - it is checked
    "torch's number of threads": torch.get_num_threads,
    "torch's default dtype": torch.get_default_dtype,
    "torch's gradient mode": torch.is_grad_enabled,
    "torch's deterministic mode": torch.are_deterministic_algorithms_enabled,
    # torch sets the path of its compiler's cache when it first runs a custom operator.
    "the environment": lambda: {k: v for k, v in os.environ.items() if not k.startswith("TORCHINDUCTOR_")},
    "the working folder": os.getcwd,
}


@contextmanager
def unchanged_globals(what: str) -> Iterator[None]:
    """Refuse code that changes global state: seeds, threads, dtype, modes, environment.

    Args:
        what: names the code inside, for the message.

    Raises:
        AssertionError: something has changed.

    Example:
        >>> with unchanged_globals("drawing a number"):
        ...     _ = torch.rand(1, generator=torch.Generator().manual_seed(0))
    """
    before = {name: read() for name, read in STATE.items()}
    yield
    changed = [name for name, read in STATE.items() if read() != before[name]]
    assert not changed, f"{what}: changed {', '.join(changed)}"


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Fill all memory that torch allocates with NaN (integers: the largest value); restore the modes afterwards.

    Example:
        >>> with poisoned_memory():
        ...     torch.empty(2).tolist()
        [nan, nan]
    """
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    deterministic = torch.utils.deterministic  # a module whose attributes mypy does not know
    fill = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # operators without a deterministic form are accepted here
            torch.use_deterministic_algorithms(True, warn_only=True)
            deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
            yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
