"""Whether a recording's file is one, and whole: libsndfile reads what is left of a truncated WAV or Ogg in silence."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

LONGEST_PAGE = 27 + 255 + 255 * 255  # header, segment table, segments of an Ogg page (RFC 3533)
UNKNOWN_SIZE = 0xFFFFFF00  # writers to a pipe leave the largest number, rounded down
# How files begin that libsndfile may open: WAV (three kinds of size), AIFF, AU, FLAC, Ogg, CAF, W64, and MP3 with tags.
BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"caff", b"riff", b"ID3")


def refuse_damaged(source: Path | BytesIO) -> None:
    """Refuse what does not begin as a recording does, or ends before its end.

    Of something foreign libsndfile would search all for an MP3 frame. Refused as truncated are a WAV file shorter than
    its header says, and an Ogg file that does not end with a stream's last page. FLAC needs no help: libsndfile reports
    it. MP3 is known to be truncated only where it begins with a Xing or Info header (then libsndfile reads fewer frames
    than that announces); otherwise the rest is all there is to see.

    Raises:
        ValueError: says how the file begins, or what is missing.
    """
    with _opened(source) as file:
        head = file.read(12)
        _refuse_foreign(head[:4])
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            size, announced = file.seek(0, 2), int.from_bytes(head[4:8], "little") + 8
            if size + 1 < announced < UNKNOWN_SIZE:
                raise ValueError(f"truncated: {size} of {announced} bytes")
        elif head[:4] == b"OggS":
            size = file.seek(0, 2)
            file.seek(max(0, size - 2 * LONGEST_PAGE))
            if not _ends_a_stream(file.read()):
                raise ValueError(f"truncated: no last Ogg page within {size} bytes")


def _refuse_foreign(head: bytes) -> None:
    frame = len(head) >= 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08  # MPEG, a layer
    if not head.startswith(BEGINNINGS) and not frame:
        raise ValueError(f"it begins with the bytes {head.hex(' ')}")


@contextmanager
def _opened(source: Path | BytesIO) -> Iterator[BinaryIO]:
    if isinstance(source, BytesIO):
        yield source
        source.seek(0)
    else:
        with source.open("rb") as file:
            yield file


def _ends_a_stream(tail: bytes) -> bool:
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return bool(page[5] & 4) and len(page) >= whole
