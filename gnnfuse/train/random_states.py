"""The random states of a process, as tensors."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of Python's, numpy's and torch's generators, on the CPU and on the device, as tensors.

    Example:
        >>> device = torch.device("cpu")
        >>> with isolated_random(0, device):
        ...     states = random_states(device)
        ...     first = random.random()
        ...     set_random_states(states, device)
        ...     random.random() == first
        True
    """
    _, words, gauss = random.getstate()
    numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - libraries draw from the global generator
    found = {
        "python": torch.tensor(words),
        "python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        "numpy": torch.from_numpy(numpy["state"]["key"].astype(np.int64)),
        "numpy_place": torch.tensor([numpy["state"]["pos"], numpy["has_gauss"]]),
        "numpy_gauss": torch.tensor(numpy["gauss"], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        found["device"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        found["device"] = torch.mps.get_rng_state()
    return found


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the states from `random_states`; a state of another kind of device is ignored."""
    gauss = states["python_gauss"].tolist()
    random.setstate((3, tuple(states["python"].tolist()), gauss[0] if gauss else None))
    place, has_gauss = states["numpy_place"].tolist()
    key = states["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, place, has_gauss, float(states["numpy_gauss"])))  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if "device" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["device"].cpu(), device)
    elif "device" in states and device.type == "mps":
        torch.mps.set_rng_state(states["device"].cpu())


def seed_all(seed: int, rank: int = 0) -> None:
    """Seed every global generator; processes of one run draw different numbers."""
    if rank:
        seed = int(np.random.SeedSequence((seed, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


@contextmanager
def isolated_random(seed: int, device: torch.device) -> Iterator[None]:
    """Seed every global generator inside, and restore all states afterwards."""
    devices = list(range(torch.cuda.device_count())) if device.type == "cuda" else []
    before = random_states(torch.device("cpu"))
    with torch.random.fork_rng(devices):
        seed_all(seed)
        try:
            yield
        finally:
            set_random_states(before, torch.device("cpu"))
