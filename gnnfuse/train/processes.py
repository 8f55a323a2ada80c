"""Communication between the training processes of a run; all of them must call each function."""

from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")


def several() -> bool:
    """Whether there are other training processes."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def every_process(mine: T) -> list[T]:
    """Each process's value, in rank order."""
    if not several():
        return [mine]
    found: list[T | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, mine)
    return [each for each in found if each is not None]


def added(mine: list[float], device: torch.device) -> list[float]:
    """The element-wise sums over all processes."""
    return _reduced(mine, device, distributed.ReduceOp.SUM)


def highest(mine: float, device: torch.device) -> float:
    """The maximum over all processes."""
    return _reduced([mine], device, distributed.ReduceOp.MAX)[0]


def _reduced(mine: list[float], device: torch.device, by: "distributed.ReduceOp.RedOpType") -> list[float]:
    if not several():
        return mine
    numbers: Tensor = torch.tensor(mine, dtype=torch.float64, device=device)
    distributed.all_reduce(numbers, op=by)
    found: list[float] = numbers.tolist()
    return found
