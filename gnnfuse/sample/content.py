"""Digests of signals' content, independent of location and name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gnnfuse.sample.files import media_source
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.text import read_text
from gnnfuse.sample.unreadable import signal_of

DIGEST_BYTES = 32  # SHA-256


def media_digest(
    sample: Sample, signal: str, read: Callable[[Sample], Tensor | None], *, expected: str
) -> bytes | None:
    """SHA-256 of a picture or a recording: of its file's undecoded bytes or, in memory, of the decoded numbers.

    Args:
        sample: the sample.
        signal: name of the signal.
        read: returns the numbers; called only if there is no file.
        expected: the input that the reader accepts, for messages.

    Returns:
        The digest, or None where the sample lacks the signal.

    Raises:
        SignalError: there is neither an ordinary file nor readable numbers.

    Example:
        >>> media_digest(Sample({"image": b"bytes"}), "image", lambda sample: None, expected="").hex()[:8]
        '4f85ab79'
    """
    value = signal_of(sample, signal)
    if value is None:
        return None
    source = media_source(sample, signal, value, expected=expected)
    if source is None:
        numbers = read(sample)
        return None if numbers is None else _of_numbers(numbers)
    name, where = source
    try:
        if isinstance(where, Path):
            with where.open("rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.sha256(b"file ")).digest()
        return hashlib.sha256(b"file " + where.getvalue()).digest()
    except OSError as error:
        raise SignalError(sample, signal, f"unreadable file {name} ({error})", expected) from error


def text_digest(sample: Sample, signal: str) -> bytes | None:
    """SHA-256 of a text; None where the sample lacks the signal.

    Raises:
        SignalError: the signal is no readable text.
    """
    text = read_text(sample, signal)
    return None if text is None else hashlib.sha256(b"text " + text.encode()).digest()


def _of_numbers(numbers: Tensor) -> bytes:
    plain = numbers.detach().cpu().contiguous()
    digest = hashlib.sha256(f"numbers {plain.dtype} {list(plain.shape)} ".encode())
    digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.digest()
