"""The peak memory that a piece of work added."""

import ctypes
import gc
import sys
from pathlib import Path
from types import TracebackType

import torch

from gnnfuse.threads import system_field

STATUS, CLEAR = "/proc/self/status", Path("/proc/self/clear_refs")
MEGABYTE = 1024 * 1024


class PeakMemory:
    """Measures the peak memory that a `with` block adds: on CUDA what the allocator handed out, on a CPU under
    Linux the resident set; None if the peak cannot be reset.

    Args:
        device: where the work runs.

    Attributes:
        megabytes: the result, after the block.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.megabytes: float | None = None
        self._before: float | None = None

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = float(torch.cuda.memory_allocated(self.device))
        elif sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)  # else memory freed by an earlier run would hide this run's growth
            try:
                CLEAR.write_text("5")  # resets the high-water mark (proc(5))
                self._before = _status("VmRSS")
            except OSError:  # containers may forbid it
                self._before = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is None:
            return
        if self.device.type == "cuda":
            self.megabytes = (torch.cuda.max_memory_allocated(self.device) - self._before) / MEGABYTE
        elif sys.platform == "linux":
            self.megabytes = max(0.0, _status("VmHWM") - self._before) / MEGABYTE


def _status(field: str) -> float:
    """A field of this process's status, from kilobytes to bytes.

    Raises:
        OSError: the system does not report it.
    """
    found = system_field(STATUS, field)
    if found is None:
        raise OSError(f"{STATUS} has no {field}")
    return float(found.split()[0]) * 1024
