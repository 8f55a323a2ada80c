"""Processors and accelerators: which there are, their memory, and whether PyTorch's threads can be used."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator

import torch

from gnnfuse.diagnosis.report import Finding, guarded
from gnnfuse.ops.cpu.openmp import openmp_team
from gnnfuse.threads import CROWDED, advice, core_quota, core_times, crowded, spinning, system_field, usable_cores

GIB = 2**30


def devices(tell: Callable[[str], None]) -> Iterator[Finding]:
    """The processor, its memory and threads; then each accelerator."""
    tell("looking for devices")
    yield guarded("processor", _processor)
    yield guarded("memory", _memory)
    yield guarded("threads", _threads)
    yield guarded("busy cores", _busy_cores)
    yield from _accelerators()


def _processor() -> Finding:
    usable, quota = usable_cores(), core_quota()
    name = system_field("/proc/cpuinfo", "model name") or "unknown model"
    vectors = torch.backends.cpu.get_cpu_capability()
    details = {"model": name, "cores": os.cpu_count(), "usable": usable, "quota": quota, "vectors": vectors}
    limit = "" if quota is None else f" (a quota of {quota:g})"
    text = f"{name}, {usable} of {os.cpu_count()} cores usable{limit}, {vectors}"
    return Finding("processor", "ok", text, details=details)


def _memory() -> Finding:
    total, free = (system_field("/proc/meminfo", name) for name in ("MemTotal", "MemAvailable"))
    if total is None or free is None:
        return Finding("memory", "note", f"cannot be measured on {sys.platform}")
    sizes = [int(text.split()[0]) * 1024 for text in (total, free)]
    text = f"{sizes[0] / GIB:.1f} GiB, {sizes[1] / GIB:.1f} GiB of it available"
    details = {"bytes": sizes[0], "available_bytes": sizes[1]}
    if sizes[1] < GIB:
        return Finding("memory", "note", text, "close other programs: training needs a GiB or more", details)
    return Finding("memory", "ok", text, details=details)


def _threads() -> Finding:
    """Whether CPU kernels can run on the threads of PyTorch's operators."""
    threads, team = torch.get_num_threads(), openmp_team()
    details: dict[str, object] = {"threads": threads, "openmp_team": team is not None}
    if team is None:
        text = f"{threads}, CPU kernels use a thread pool of their own: this PyTorch has no GNU OpenMP"
        return Finding("threads", "note", text, "PyTorch's wheels for Linux include it", details)
    came: list[None] = []
    team(lambda: came.append(None), max(1, threads))
    if len(came) != max(1, threads):
        return Finding("threads", "broken", f"requested {threads} OpenMP threads, got {len(came)}", "", details)
    return Finding("threads", "ok", f"{threads}, CPU kernels run on PyTorch's OpenMP team", details=details)


def _busy_cores() -> Finding:
    """Whether other programs use the cores, and whether PyTorch's threads would spin on them."""
    if core_times() is None:
        return Finding("busy cores", "note", f"cannot be measured on {sys.platform}")
    share = crowded()
    details = {"waited": share, "load": os.getloadavg()[0], "spins": spinning()}
    text = f"this process waited for a core {share:.0%} of its time"
    if share < CROWDED:
        return Finding("busy cores", "ok", text, details=details)
    if not spinning():
        return Finding("busy cores", "note", f"{text}; the environment sets how threads wait", details=details)
    return Finding("busy cores", "note", f"{text}, and PyTorch's threads spin while they wait", advice(), details)


def _accelerators() -> Iterator[Finding]:
    built = torch.version.cuda
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        for number in range(torch.cuda.device_count()):
            yield guarded(f"cuda:{number}", lambda number=number: _cuda(number))  # type: ignore[misc]
    elif built is None:
        yield Finding("cuda", "note", "this PyTorch is built without CUDA", "https://pytorch.org/get-started/locally/")
    elif told or shutil.which("nvidia-smi"):
        reason = " ".join(str(told[0].message).split())[:300] if told else "PyTorch finds no device"
        yield Finding("cuda", "broken", f"a driver is installed, but: {reason}", "nvidia-smi  (shows the driver)")
    else:
        yield Finding("cuda", "ok", f"no device; models run on the CPU (PyTorch is built for CUDA {built})")
    if torch.backends.mps.is_available():
        yield Finding("mps", "note", "available; operators run as references there")


def _cuda(number: int) -> Finding:
    about = torch.cuda.get_device_properties(number)
    free, total = torch.cuda.mem_get_info(number)
    capability = f"{about.major}.{about.minor}"
    torch.ones(2, device=f"cuda:{number}").sum().item()  # finds a device for which this PyTorch has no code
    driver = system_field("/proc/driver/nvidia/version", "NVRM version")
    details = {
        "name": about.name,
        "capability": capability,
        "bytes": total,
        "free_bytes": free,
        "cuda": torch.version.cuda,
        "driver": driver,
    }
    sizes = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    text = f"{about.name}, capability {capability}, {sizes}, CUDA {torch.version.cuda}"
    return Finding(f"cuda:{number}", "ok", text, details=details)
