"""The torch device of a name."""

import torch


def device_of(device: str) -> torch.device:
    """The torch device of a name: "auto" is CUDA if there is any, else the CPU.

    Raises:
        ValueError: the device is unknown or cannot be used here.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in available or (":" in device and not number.isdigit()):
        raise ValueError(f"unknown device {device!r}, expected auto, cpu, cuda, cuda:<number> or mps")
    if int(number or 0) >= available[kind]:
        raise ValueError(
            f"device {device!r} cannot be used: torch {torch.__version__} finds {available[kind]} of {kind}"
        )
    return torch.device(device)
