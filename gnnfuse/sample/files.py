"""Checks what a path leads to before opening it: reading a pipe could block, and a device might never end."""

import os
import stat
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from gnnfuse.sample.sample import Sample, SignalError


def regular_file(sample: Sample, signal: str, path: Path, *, expected: str) -> Path:
    """The path, if it leads to a non-empty ordinary file.

    Args:
        sample: the sample, for the message.
        signal: name of the signal, for the message.
        path: where the file should be; symbolic links are followed.
        expected: the input that the reader accepts, for the message.

    Raises:
        SignalError: nothing is there, or a directory, a pipe, a device or an empty file, or the path is unusable (a
            NUL byte, a name that is too long, no permission).
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        cause = " (its backslashes separate folders on Windows only)" if os.sep != "\\" in str(path) else ""
        raise SignalError(sample, signal, f"no file at {shown(path)}{cause}", expected) from error
    except (OSError, ValueError) as error:
        raise SignalError(sample, signal, f"no usable path: {shown(path)} ({error})", expected) from error
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise SignalError(sample, signal, f"no file at {shown(path)} but {what}", expected)
    if found.st_size == 0:
        raise SignalError(sample, signal, f"an empty file at {shown(path)}", expected)
    return path


def media_source(sample: Sample, signal: str, value: object, *, expected: str) -> tuple[str, Path | BytesIO] | None:
    """The source of encoded media: a name for messages, and a file to open or bytes to read.

    Args:
        sample: the sample, for messages.
        signal: name of the signal, for messages.
        value: a path, bytes, or a mapping with `bytes` and `path` (as Hugging Face datasets stores media; `path` is
            used if `bytes` is None).
        expected: the input that the reader accepts, for messages.

    Returns:
        None if the value is none of these.

    Raises:
        SignalError: no ordinary file is there, or no bytes.
    """
    name = "embedded bytes"
    if isinstance(value, Mapping) and "bytes" in value and value.keys() <= {"bytes", "path"}:
        name = shown(value["path"]) if value.get("path") else name
        value = value.get("path") if value["bytes"] is None else value["bytes"]
    if isinstance(value, str | Path):
        return shown(value), regular_file(sample, signal, Path(value), expected=expected)
    if not isinstance(value, bytes | bytearray | memoryview):
        return None
    if not len(value):
        raise SignalError(sample, signal, "no bytes", expected)
    return name, BytesIO(value)


def shown(path: object, longest: int = 200) -> str:
    """A path or a cell as messages show it: quoted, control characters escaped, shortened if very long.

    Example:
        >>> shown("a.png")
        "'a.png'"
    """
    text = repr(str(path))
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"
