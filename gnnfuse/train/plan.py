"""How many samples each process takes in each step: computed alike in every process, without communication."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """The samples of one epoch, divided among processes and, with gradient accumulation, parts of a step.

    A part is what one process passes through the model at once; a step is `accumulate` parts of every process. All
    processes have equally many parts, some of them empty, so that none waits for another. A part's loss is a mean over
    its own samples; multiplied by `weight`, the mean over processes and parts (which DDP and accumulation compute)
    equals the mean over all samples of the step.

    Args:
        sizes: `[parts, processes]`, samples in each part.
        accumulate: parts per step.

    Example:
        >>> plan = indexed_plan(10, batch_size=8, processes=2, accumulate=1)
        >>> plan.sizes.tolist(), plan.weight(1, rank=0)
        ([[4, 4], [1, 1]], 1.0)
        >>> indexed_plan(9, batch_size=8, processes=2, accumulate=1).weight(1, rank=1)
        0.0
    """

    sizes: NDArray[np.int64]
    accumulate: int

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def step_sizes(self) -> NDArray[np.int64]:
        """Samples of each step, over all parts and processes."""
        totals: NDArray[np.int64] = self.sizes.reshape(-1, self.accumulate * self.sizes.shape[1]).sum(axis=1)
        return totals

    def weight(self, part: int, *, rank: int) -> float:
        """The weight of a part's mean loss, so that all samples of the step count equally."""
        parts_of_step = self.accumulate * self.sizes.shape[1]
        return float(self.sizes[part, rank] * parts_of_step / self.step_sizes[part // self.accumulate])


def indexed_plan(samples: int, *, batch_size: int, processes: int, accumulate: int) -> EpochPlan:
    """Steps of `batch_size` samples, dealt one by one to the parts; the last step has the remainder."""
    steps = -(-samples // batch_size)
    in_step = np.minimum(batch_size, samples - batch_size * np.arange(steps))
    seats = processes * accumulate
    sizes = (in_step[:, None] - np.arange(seats) + seats - 1) // seats
    return EpochPlan(sizes.reshape(steps * accumulate, processes), accumulate)


def part_size(batch_size: int, parts: int, *, training: bool) -> int:
    """The number of samples in a full part of a stream, with `parts` parts per step.

    Raises:
        ValueError: a training step cannot be divided into equal parts.

    Example:
        >>> part_size(32, 4, training=True)
        8
    """
    if training and batch_size % parts:
        raise ValueError(
            f"found batch_size={batch_size} for {parts} parts (devices x num_nodes x accumulate), expected a "
            "multiple of them: a stream is dealt out in equal parts"
        )
    return max(1, batch_size // parts)


def streamed_plan(shares: NDArray[np.int64], *, part_size: int, processes: int, accumulate: int) -> EpochPlan:
    """Every loader worker makes parts from its own share of a stream; the workers of a process take turns.

    Args:
        shares: samples in each share; worker w of process r reads share r + processes * w.
        part_size: samples in a full part.
        processes: training processes.
        accumulate: parts per step.
    """
    turns = [worker_turns(shares[rank::processes], part_size) for rank in range(processes)]
    parts = -(-max(len(of_rank) for of_rank in turns) // accumulate) * accumulate
    sizes = np.zeros((parts, processes), dtype=np.int64)
    for rank, of_rank in enumerate(turns):
        left = [min(part_size, shares[rank + processes * worker] - part_size * turn) for turn, worker in of_rank]
        sizes[: len(of_rank), rank] = left
    return EpochPlan(sizes, accumulate)


def worker_turns(shares: NDArray[np.int64], part_size: int) -> list[tuple[int, int]]:
    """The parts of a process in order, as (index of the part in its worker, worker); workers take turns."""
    counts = (-(-shares // part_size)).tolist()
    return [(turn, worker) for turn in range(max(counts)) for worker, count in enumerate(counts) if turn < count]
