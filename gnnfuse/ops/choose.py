"""Which implementation of an operator runs; what cannot run here raises."""

from importlib.util import find_spec

import torch

INSTALL = {
    "numba": "pip install numba",
    "triton": "pip install triton (Linux; it comes with PyTorch there)",
    "torch_scatter": "pip install --no-build-isolation torch-scatter",
}
INSTALLED = {name: find_spec(name) is not None for name in INSTALL}


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
    """Raise ValueError for a name that is not known; whether it runs here is seen when the tensors are."""
    if impl not in known:
        raise ValueError(f"impl must be one of {', '.join(map(repr, known))}; found {impl!r}")


def interpreted() -> bool:
    """Whether Triton's interpreter runs its kernels on the CPU, as TRITON_INTERPRET=1 asks for."""
    from triton import knobs

    return bool(knobs.runtime.interpret)
