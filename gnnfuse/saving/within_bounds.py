"""Limits on building a saved model: no network, and no more memory than its weights justify."""

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gnnfuse.nodes import weights_follow
from gnnfuse.saving.describe import Json

# Heads of torchvision's networks are made and discarded: AlexNet's has 25 times its features' weights.
FREE_BYTES, TIMES_BYTES = 2**30, 8
FREE_TENSORS, TIMES_TENSORS = 4096, 16
FREE_DEPTH = 1000  # layers may have no weights at all
CONNECTING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")  # Python's audit events
_reasons: ContextVar[list[str] | None] = ContextVar(
    "reasons", default=None
)  # kept here because libraries may wrap an error in their own


class BoundsError(RuntimeError):
    """Building a saved model exceeded the needs of any saved model."""


@contextmanager
def within_bounds(described: Json, sizes: Mapping[str, int], path: Path) -> Iterator[None]:
    """The context in which a saved model is built: any error becomes one line that names the config.

    Args:
        described: the description to build.
        sizes: bytes of each tensor of the weights, by name.
        path: the config's path.

    Raises:
        ValueError: it would connect to a network, need far more memory or layers than the weights justify, or cannot
            be built.
    """
    _check_numbers(described, sizes, path)
    _listen()
    reasons: list[str] = []
    token = _reasons.set(reasons)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"), weights_follow(), _Budget(sizes):
            yield
    except Exception as error:
        if reasons:
            reason = reasons[0]
        elif isinstance(error, ValueError | FileNotFoundError):
            reason = str(error)
        else:
            reason = f"cannot be built ({type(error).__name__}: {error})"
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) and not reasons else ValueError
        raise kind(f"{path}: {reason}") from error
    finally:
        _reasons.reset(token)


def refuse_more_than_memory(size: int, path: Path) -> None:
    """Refuse a file that this machine's memory cannot hold.

    Raises:
        ValueError: names the file and both sizes.
    """
    if not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise ValueError(f"{path}: found {size:,} bytes of weights, more than this machine's memory of {memory:,}")


def _check_numbers(described: Json, sizes: Mapping[str, int], path: Path) -> None:
    """Refuse sizes, by the names of their entries, that the weights do not justify: building would take forever.

    Raises:
        ValueError: names the entry.
    """
    layers, numbers = max(len(sizes), FREE_DEPTH), sum(sizes.values())
    pending: list[tuple[str, Json]] = [("object", described)]
    while pending:
        where, value = pending.pop()
        if isinstance(value, list):
            pending += [(f"{where}[{place}]", item) for place, item in enumerate(value)]
        elif isinstance(value, dict):
            pending += [(f"{where}.{name}", item) for name, item in value.items()]
        elif isinstance(value, int) and not isinstance(value, bool):
            name = where.rpartition(".")[2]
            if (name == "depth" or "layers" in name) and value > layers:
                raise ValueError(f"{path}: found {value:,} layers in {where}, more than the weights have tensors")
            if name == "dim" and value > numbers:
                raise ValueError(f"{path}: found {value:,} in {where}, more than all the weights together")


class _Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts new memory, and raises before it exceeds what the weights justify."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = FREE_BYTES + TIMES_BYTES * sum(sizes.values())
        self.tensors = FREE_TENSORS + TIMES_TENSORS * len(sizes)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: models are never built while torch.compile traces, and torch would import its compiler for this."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = _asked(func._schema.name.partition("::")[2], args)
        if count is not None:
            self.tensors -= 1
            if torch.device(kwargs.get("device") or "cpu").type != "meta":
                self.bytes -= count * (kwargs.get("dtype") or torch.get_default_dtype()).itemsize
            self._check()
        found = func(*args, **kwargs)
        if count is None and isinstance(found, Tensor) and not found.is_meta and not func._schema.is_mutable:
            self.bytes -= 0 if found._is_view() else found.nbytes
            self._check()
        return found

    def _check(self) -> None:
        if self.bytes < 0 or self.tensors < 0:
            what = "tensors" if self.tensors < 0 else "memory"
            _stop(f"it describes a model with far more {what} than its weights have")


def _asked(name: str, args: tuple[Any, ...]) -> int | None:
    """The number of elements that a factory operation allocates; None for any other operation."""
    match name, args:
        case "arange", (start, end, step, *_):
            return max(0, -int((start - end) // step)) if step else 0
        case "arange", (start, end):
            return max(0, int(end - start))
        case (("arange" | "randperm"), (end,)):
            return max(0, int(end))
        case (("linspace" | "logspace"), (_, _, steps, *_)):
            return int(steps)
        case "eye", (rows, *columns):
            return int(rows) * int(columns[0] if columns else rows)
        case _, ([*sizes], *_) if all(isinstance(size, int) for size in sizes):
            return int(math.prod(sizes))
        case _, (_, [*sizes], *_) if name.startswith("new_") and all(isinstance(size, int) for size in sizes):
            return int(math.prod(sizes))
    return None


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in CONNECTING and _reasons.get() is not None:
        where = arguments[-1] if event == "socket.connect" else arguments[0]
        _stop(f"its files would be fetched from a network ({where}), expected all of them in the folder")


def _stop(reason: str) -> NoReturn:
    reasons = _reasons.get()
    if reasons is not None:
        reasons.append(reason)
    raise BoundsError(reason)


@cache
def _listen() -> None:
    """Install an audit hook, which Python never removes; it checks only connections, while a model is built."""
    sys.addaudithook(_refuse)
