"""Texts: strings, and files that hold one."""

import re
from dataclasses import dataclass
from pathlib import Path

from gnnfuse.sample.files import regular_file, shown
from gnnfuse.sample.sample import Sample, SignalError
from gnnfuse.sample.unreadable import signal_of

MAX_TEXT_BYTES = 64 * 1024 * 1024
AS_UTF8 = "text in UTF-8; save the table as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8, or CSV UTF-8 in Excel)"


@dataclass(frozen=True)
class TextFile:
    """A text in a file of its own, read when a node type reads the signal.

    Args:
        path: a file in UTF-8.

    Example:
        >>> Sample({"text": TextFile(Path("letters/1.txt"))}).signals["text"].path.name
        '1.txt'
    """

    path: Path


def read_text(sample: Sample, signal: str) -> str | None:
    """Read a signal of a sample as text: a string, or a `TextFile`, in UTF-8 and of at most 64 MB.

    Returns:
        The text, or None where the sample lacks the signal. An empty text is a text: it has no tokens.

    Raises:
        SignalError: the signal is neither, it holds a lone surrogate, which no encoding can represent, or the file is
            missing, too large or not UTF-8.

    Example:
        >>> read_text(Sample({"text": "a cat"}), "text")
        'a cat'
    """
    value = signal_of(sample, signal)
    if value is None:
        return None
    if isinstance(value, TextFile):
        return _from_file(sample, signal, value.path)
    if not isinstance(value, str):
        raise SignalError(sample, signal, f"a {type(value).__name__}", "a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        byte = ord(value[error.start]) - 0xDC00  # where `surrogateescape` puts undecodable bytes
        what = f"UTF-8 (byte 0x{byte:02x} at character {error.start})" if 0x80 <= byte <= 0xFF else "Unicode"
        raise SignalError(sample, signal, f"text that is not {what}", AS_UTF8) from error
    return value


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: lone surrogates stand for bytes that are not UTF-8.

    Example:
        >>> is_unicode("café"), is_unicode("caf\\udce9")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_half_pair(text: str) -> bool:
    """Whether a non-Unicode text has half of a surrogate pair, as in JSON's `\\ud800`, not only undecodable bytes.

    Example:
        >>> has_half_pair("a\\ud800"), has_half_pair("a\\udced\\udca0\\udc80"), has_half_pair("caf\\udce9")
        (True, True, False)
    """
    if re.search("[\ud800-\udc7f\udd00-\udfff]", text):
        return True
    return re.search(rb"\xed[\xa0-\xbf]", text.encode("utf-8", "surrogateescape")) is not None


def _from_file(sample: Sample, signal: str, path: Path) -> str:
    expected = "a text file in UTF-8"
    try:
        if path.is_file() and path.stat().st_size == 0:
            return ""  # a text without tokens
        with regular_file(sample, signal, path, expected=expected).open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SignalError):
            raise
        raise SignalError(sample, signal, f"no readable file at {shown(path)} ({error})", expected) from error
    if len(content) > MAX_TEXT_BYTES:
        raise SignalError(sample, signal, f"a file of more than {MAX_TEXT_BYTES:,} bytes at {shown(path)}", expected)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"bytes that are not UTF-8 at {shown(path)} ({error.reason} at byte {error.start})"
        raise SignalError(sample, signal, found, expected) from error
