"""Whether a recording's file is one, and whole: libsndfile reads what is left of a truncated file in silence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path

from gnnfuse.sample.foreign import foreign
from gnnfuse.sample.mpeg import pieces_of, stream_of

LONGEST_PAGE = 27 + 255 + 255 * 255  # header, segment table, segments of an Ogg page (RFC 3533)
# Sizes that writers to a pipe leave, who know none: ffmpeg 0xFFFFFFFF, sox 0x7FFFF000 (AIFF: 0x7F000000), arecord
# 0x80000000; rounded down to whole frames, and with some bytes of header added.
UNKNOWN_SIZES = (
    range(1),
    range(0x7EFFF000, 0x7F001000),
    range(0x7FFFE000, 0x80001000),
    range(0xFFFFF000, 1 << 32),
    range((1 << 63) - 1, 1 << 64),
)
# How files begin that libsndfile opens: WAV (three kinds of size), AIFF, AU, FLAC, Ogg, CAF, W64, NIST SPHERE. MPEG
# audio (MP3) is found by its frames.
BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"caff", b"riff", b"NIST_1A")
NIST_FIELD = re.compile(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)")
MPEG_BYTES_PER_SECOND = 80_000  # 640 kbit/s, which free format may reach
TAG_BYTES = 1 << 28  # what an ID3v2 tag may hold
HEAD = 1024


@dataclass(frozen=True)
class Part:
    """A recording, or a part of one, as libsndfile opens it.

    Args:
        file: a path, or bytes.
        frames: samples per channel to read; None: as many as the file announces.
    """

    file: Path | BytesIO
    frames: int | None = None


def parts_of(source: Path | BytesIO, *, max_seconds: float) -> list[Part]:
    """The recording in a file, if it is whole: the file itself, or an MPEG recording in pieces (see `mpeg`).

    A file that is shorter than its header announces is truncated, unless the size is one that writers to a pipe leave;
    so is an Ogg file that does not end with a stream's last page. FLAC and CAF need no help: libsndfile refuses them.

    Args:
        source: a path to an ordinary file, or bytes.
        max_seconds: MPEG files that are too large for so many seconds are refused before they are read.

    Raises:
        ValueError: the file begins as no recording does, or its end is missing.
    """
    with _opened(source) as file:
        head, size = file.read(HEAD), file.seek(0, 2)
        if head.startswith(BEGINNINGS):
            _refuse_truncated(file, head, size)
            return [Part(source)]
        what = foreign(head)
        if what is None:
            most = int(max_seconds * MPEG_BYTES_PER_SECOND) + TAG_BYTES
            if size > most:
                raise ValueError(
                    f"{size:,} bytes, more than {most:,}, the largest MP3 file of max_seconds={max_seconds:g}"
                )
            file.seek(0)
            data = file.read()
            pieces = pieces_of(data)
            if pieces:
                return [Part(*stream_of(data, piece)) for piece in pieces]
            if head.startswith(b"ID3"):  # before FLAC, for instance
                return [Part(source)]
        raise ValueError(what or f"it begins with the bytes {head[:4].hex(' ')}")


def _refuse_truncated(file: BytesIO | BufferedReader, head: bytes, size: int) -> None:
    if head.startswith(b"OggS"):
        file.seek(max(0, size - 2 * LONGEST_PAGE))
        if not _ends_a_stream(file.read()):
            raise ValueError(f"truncated: no last Ogg page within {size} bytes")
    announced, before = _announced_size(head)
    if (
        announced is not None
        and size + 1 < announced + before
        and not any(announced in sizes for sizes in UNKNOWN_SIZES)
    ):
        raise ValueError(f"truncated: {size} of {announced + before} bytes")
    place = head.find(b"data", 12)
    if (
        head[8:12] == b"WAVE"
        and place > 0
        and announced in range(place + 1)
        and head[place + 4 : place + 8] == bytes(4)
    ):
        behind = size - place - 8
        if behind > 0:
            what = f"unfinished: its header announces no samples, though {behind} bytes follow"
            raise ValueError(f"{what}; rewrite it, as by `ffmpeg -i FILE new.wav`")


def _announced_size(head: bytes) -> tuple[int | None, int]:
    """The size that a header announces, None where it does not, and the bytes before what it counts."""
    match head[:4]:
        case b"RIFF" | b"RIFX" | b"FORM":
            return int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big"), 8
        case b"RF64" if head[12:16] == b"ds64":
            return int.from_bytes(head[20:28], "little"), 8
        case b"riff":
            return int.from_bytes(head[16:24], "little"), 0
        case b".snd":
            return int.from_bytes(head[8:12], "big"), int.from_bytes(head[4:8], "big")
        case b"NIST":
            found = {name: int(number) for name, number in NIST_FIELD.findall(head)}
            if len(found) == 3 and b" pcm\n" in head:  # other codings have no size of their own
                return found[b"sample_count"] * found[b"channel_count"] * found[b"sample_n_bytes"], HEAD
    return None, 0


@contextmanager
def _opened(source: Path | BytesIO) -> Iterator[BytesIO | BufferedReader]:
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
