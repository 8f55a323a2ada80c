"""How much memory a run adds at its peak, and whether there is room for it."""

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from gnnfuse.ops import release_memory
from layer_timing.block import AbsentError, Problem

STATUS, CLEAR, MEMORY = Path("/proc/self/status"), Path("/proc/self/clear_refs"), Path("/proc/meminfo")
MEGABYTE = 1024 * 1024


def peak_megabytes(run: Callable[[], object], device: torch.device) -> float | None:
    """What one run adds at its highest, over what was there before it: inputs, weights and edges do not count.

    On CUDA, bytes that PyTorch's allocator gave out. On Linux's CPU, the resident set: freed memory, and what the
    library keeps for its next results, is first handed back to the system, or it would hide the growth, and the
    process's high-water mark is reset (proc(5)), so that what was loaded or run before leaves no trace. None where the
    mark cannot be reset.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / MEGABYTE
    if sys.platform != "linux":
        return None
    release_memory()
    ctypes.CDLL(None).malloc_trim(0)
    try:
        CLEAR.write_text("5")
    except OSError:  # containers may forbid it
        return None
    resident = kilobytes(STATUS, "VmRSS")
    run()
    return max(0.0, kilobytes(STATUS, "VmHWM") - resident) / 1024


def kilobytes(file: Path, field: str) -> float:
    """One line of a file in /proc."""
    return next(float(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(f"{field}:"))


def check_room(problem: Problem, *, tensors: int, pairs: int | None = None) -> None:
    """Refuse what would not fit, before the system ends the process; CUDA's allocator says so itself.

    Args:
        problem: what is to run.
        tensors: how many large tensors are kept for the backward pass.
        pairs: numbers in each of them; edges x dim by default.

    Raises:
        AbsentError: they take more memory than is free.
    """
    if problem.batch.device.type != "cpu" or not MEMORY.is_file():
        return
    pairs = problem.batch.edges.num_edges * problem.dim if pairs is None else pairs
    needed = tensors * pairs * problem.dtype.itemsize / MEGABYTE
    free = kilobytes(MEMORY, "MemAvailable") / 1024
    if needed > free:
        raise AbsentError(f"needs about {needed:,.0f} MB for what it keeps per pair of nodes, {free:,.0f} MB are free")
