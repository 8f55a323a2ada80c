"""Chooses the implementation of an operator, and raises if it cannot run here."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Literal

import torch

INSTALL = {
    "numba": "pip install numba",
    "triton": "pip install triton (Linux; it comes with PyTorch there)",
    "torch_scatter": "pip install --no-build-isolation torch-scatter",
}
INSTALLED = {name: find_spec(name) is not None for name in INSTALL}

_PLAIN = ContextVar("plain PyTorch on the CPU", default=False)


@contextmanager
def plain_pytorch(wanted: bool = True) -> Iterator[None]:
    """Make `impl="auto"` choose "reference" on the CPU: for work so small that loading numba takes longer.

    This applies to the current thread, and not to code that `torch.compile` traces. Results differ by rounding.

    Args:
        wanted: False changes nothing.

    Example:
        >>> with plain_pytorch():
        ...     auto_on_cpu()
        'reference'
    """
    before = _PLAIN.set(wanted or _PLAIN.get())
    try:
        yield
    finally:
        _PLAIN.reset(before)


def auto_on_cpu() -> Literal["numba", "reference"]:
    """The choice of `impl="auto"` on the CPU for tensors that are large enough for a kernel."""
    plain = not torch.compiler.is_compiling() and _PLAIN.get()
    return "numba" if INSTALLED["numba"] and not plain else "reference"


def check_runs(impl: str, known: tuple[str, ...], device: torch.device) -> None:
    """Raise unless the implementation is known, installed, and made for tensors of the device.

    Raises:
        ValueError: unknown, or for another device.
        RuntimeError: not installed.
    """
    check_impl(impl, ("auto", *known))
    if impl in INSTALL and not INSTALLED[impl]:
        raise RuntimeError(f"impl={impl!r} needs {impl}, which is not installed: {INSTALL[impl]}")
    if impl == "numba" and device.type != "cpu":
        raise ValueError(f"impl='numba' needs tensors on the CPU, found device {device}")
    if impl == "triton" and device.type != "cuda" and not interpreted():
        raise ValueError(f"impl='triton' needs tensors on a CUDA device, found device {device}")


def check_impl(impl: str, known: tuple[str, ...]) -> None:
    """Raise ValueError for an unknown name; whether it can run is checked once there are tensors."""
    if impl not in known:
        raise ValueError(f"impl must be one of {', '.join(map(repr, known))}; found {impl!r}")


def interpreted() -> bool:
    """Whether Triton's interpreter runs its kernels on the CPU (TRITON_INTERPRET=1)."""
    from triton import knobs

    return bool(knobs.runtime.interpret)
