"""Clocks: contenders take turns, in another order every round, so that what the machine does meanwhile hits all."""

import gc
import random
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import NamedTuple, TypeVar

import torch

from layer_timing.block import Block

Key = TypeVar("Key", bound=Hashable)
MOST_ROUNDS = 200
CYCLES = 2e6  # of a GPU's clock in a millisecond, at most
HEAD_START = 2.0  # how many times what the host needs the device is kept busy before


class Timing(NamedTuple):
    """Milliseconds of one run.

    Args:
        forward: of the forward pass.
        total: of forward and backward.
        host: on CUDA, until all was handed to the device; as `total` on the CPU.
    """

    forward: float
    total: float
    host: float


def time_once(block: Block, device: torch.device, *, ahead: float = 0.0) -> Timing:
    """Run a block forward and backward; on CUDA as `time_on_device`."""
    if device.type == "cuda":
        return time_on_device(block, ahead)
    begin = perf_counter()
    outputs = block.forward()
    forward = perf_counter()
    block.backward(outputs)
    total = 1e3 * (perf_counter() - begin)
    return Timing(1e3 * (forward - begin), total, total)


def time_on_device(block: Block, ahead: float) -> Timing:
    """Between events on the device, which is first kept busy for `ahead` milliseconds.

    What the host needs to launch kernels is then no part of the device's time, as in a training step whose host runs
    ahead. It is told beside it.
    """
    start, between, end = events(3)
    torch.cuda._sleep(int(ahead * CYCLES))  # type: ignore[no-untyped-call]  # PyTorch has no public way to wait there
    start.record()
    begin = perf_counter()
    outputs = block.forward()
    between.record()
    block.backward(outputs)
    host = 1e3 * (perf_counter() - begin)
    end.record()
    end.synchronize()
    return Timing(start.elapsed_time(between), start.elapsed_time(end), host)


def events(count: int) -> list[torch.cuda.Event]:
    """Marks on the device's own clock."""
    return [torch.cuda.Event(enable_timing=True) for _ in range(count)]  # type: ignore[no-untyped-call]


def interleaved(
    blocks: Mapping[Key, Block], device: torch.device, *, rounds: int, seconds: float
) -> dict[Key, list[Timing]]:
    """Time blocks that have run before.

    On the CPU each runs once untimed directly before it is timed, as in training, where one layer runs again and
    again: a block that runs first after another one pays for what that one did to memory. After PyG has freed a
    gigabyte, whoever came next took up to twice as long.

    Args:
        blocks: what to time.
        device: where it runs.
        rounds: how often each is timed at least.
        seconds: further rounds are added for the blocks that all their rounds together took less than this.
    """
    found: dict[Key, list[Timing]] = {key: [] for key in blocks}
    order = random.Random(0)
    ahead = {
        key: HEAD_START * time_once(block, device).host if device.type == "cuda" else 0.0
        for key, block in blocks.items()
    }
    with no_collection():
        for number in range(MOST_ROUNDS if blocks else 0):
            due = [k for k, times in found.items() if number < rounds or sum(t.total for t in times) < 1e3 * seconds]
            if not due:
                break
            for key in order.sample(due, len(due)):
                if device.type != "cuda":  # whose memory PyTorch keeps
                    time_once(blocks[key], device)
                found[key].append(time_once(blocks[key], device, ahead=ahead[key]))
    return found


@contextmanager
def no_collection() -> Iterator[None]:
    """Python's collector waits, so that it does not run in the middle of somebody's time."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def median_seconds(run: Callable[[], object], device: torch.device, *, repeats: int = 1, rounds: int = 7) -> float:
    """Of one call, out of `rounds` rows of `repeats` calls after a first one."""
    run()
    times: list[float] = []
    for _ in range(rounds):
        if device.type == "cuda":
            start, end = events(2)
            start.record()
            for _ in range(repeats):
                run()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end) / 1e3 / repeats)
        else:
            begin = perf_counter()
            for _ in range(repeats):
                run()
            times.append((perf_counter() - begin) / repeats)
    return median(times)


def middle(times: list[Timing]) -> Timing:
    """The median of each number."""
    return Timing(*(median(numbers) for numbers in zip(*times, strict=True)))
