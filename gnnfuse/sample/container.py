"""Finds the recordings in a file. Refuses truncated files, which libsndfile silently reads up to the cut."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from itertools import pairwise
from pathlib import Path

from gnnfuse.sample.foreign import foreign
from gnnfuse.sample.mpeg import PIECES, behind_id3, pieces_of, stream_of

LONGEST_PAGE = 27 + 255 + 255 * 255  # header, segment table and segments of an Ogg page (RFC 3533)
# Sizes that programs write for an unknown size, as into a pipe: ffmpeg 0xFFFFFFFF, sox 0x7FFFF000 (AIFF:
# 0x7F000000), arecord 0x80000000; rounded down to whole frames, and with some bytes of header added.
UNKNOWN_SIZES = (
    range(1),
    range(0x7EFFF000, 0x7F001000),
    range(0x7FFFE000, 0x80001000),
    range(0xFFFFF000, 1 << 32),
    range((1 << 63) - 1, 1 << 64),
)
# First bytes of files that libsndfile opens: WAV (three kinds of size), AIFF, AU, FLAC, Ogg, CAF, W64, NIST SPHERE.
# MPEG audio (MP3) has none and is found by its frames.
MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"fLaC", b"OggS", b"caff", b"riff", b"NIST_1A")
NIST_FIELD = re.compile(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)")
MPEG_BYTES_PER_SECOND = 80_000  # 640 kbit/s, the most in free format
TAG_BYTES = 1 << 28  # the most in an ID3v2 tag
HEAD = 1024


@dataclass(frozen=True)
class Recording:
    """A recording for libsndfile to open: a file, or one of several joined in it.

    Args:
        file: a path, or bytes.
        frames: samples per channel to read; None: as many as the file announces.
    """

    file: Path | BytesIO
    frames: int | None = None


def recordings_in(source: Path | BytesIO, *, max_seconds: float) -> list[Recording]:
    """The recordings in a file, if it is whole: the file itself, its Ogg streams, or its MPEG pieces (see `mpeg`).

    A file that is shorter than its header announces is truncated, unless that size means unknown; so is an Ogg file
    that does not end with a stream's last page. Truncated FLAC and CAF files are left to libsndfile, which refuses
    them.

    Args:
        source: a path to an ordinary file, or bytes.
        max_seconds: MPEG and chained Ogg files that are too large for this duration are refused before reading.

    Raises:
        ValueError: the file does not begin like a recording, or its end is missing.
    """
    with _opened(source) as file:
        head, size = file.read(HEAD), file.seek(0, 2)
        if not head.startswith(MAGIC):
            return _mpeg_pieces(file, head, size, max_seconds)
        _refuse_truncated(file, head, size)
        starts = _stream_starts(file) if head.startswith(b"OggS") else []
        if len(starts) < 2:
            return [Recording(source)]
        _refuse_large(size, max_seconds)
        return list(_streams(file, [*starts, size]))


def _mpeg_pieces(file: BytesIO | BufferedReader, head: bytes, size: int, max_seconds: float) -> list[Recording]:
    """The pieces of an MPEG recording, or another kind of recording after an ID3v2 tag."""
    what = foreign(head)
    if what is not None:
        raise ValueError(what)
    _refuse_large(size, max_seconds)
    file.seek(0)
    data = file.read()
    rest = data[behind_id3(data) :] if len(data) >= 10 and data.startswith(b"ID3") else b""
    if rest.startswith(MAGIC):  # such as FLAC; after a tag, libsndfile loses the end of WAV and AIFF
        _refuse_truncated(BytesIO(rest), rest[:HEAD], len(rest))
        return [Recording(BytesIO(rest))]
    pieces = pieces_of(data)
    if not pieces:
        raise ValueError(f"it begins with the bytes {head[:4].hex(' ')}")
    return [Recording(*stream_of(data, piece)) for piece in pieces]


def _refuse_large(size: int, max_seconds: float) -> None:
    most = int(max_seconds * MPEG_BYTES_PER_SECOND) + TAG_BYTES
    if size > most:
        raise ValueError(f"{size:,} bytes, more than {most:,}, the largest MP3 file of max_seconds={max_seconds:g}")


def _refuse_truncated(file: BytesIO | BufferedReader, head: bytes, size: int) -> None:
    if head.startswith(b"OggS"):
        file.seek(max(0, size - 2 * LONGEST_PAGE))
        if not _ends_a_stream(file.read()):
            raise ValueError(f"truncated: no last Ogg page within {size} bytes")
    announced, before = _announced_size(head)
    if announced is None:
        return
    if size + 1 < announced + before and not any(announced in sizes for sizes in UNKNOWN_SIZES):
        raise ValueError(f"truncated: {size} of {announced + before} bytes")
    place = head.find(b"data", 12)
    empty = place > 0 and announced <= place and head[place + 4 : place + 8] == bytes(4)
    behind = size - place - 8
    if head[8:12] == b"WAVE" and empty and behind > 0:
        what = f"unfinished: its header announces no samples, though {behind} bytes follow"
        raise ValueError(f"{what}; rewrite it, as by `ffmpeg -i FILE new.wav`")


def _announced_size(head: bytes) -> tuple[int | None, int]:
    """The size that a header announces (None if it does not), and the number of bytes before the counted ones."""
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
            if len(found) == 3 and b" pcm\n" in head:  # other encodings have no fixed size
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
    size = _page_size(page)
    return size is not None and bool(page[5] & 4) and size <= len(page)


def _page_size(page: bytes) -> int | None:
    """The size in bytes of an Ogg page (RFC 3533), from its beginning; None if that is no whole header."""
    if not page.startswith(b"OggS") or len(page) < 27 or len(page) < 27 + page[26]:
        return None
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def _stream_starts(file: BytesIO | BufferedReader) -> list[int]:
    """The offsets of the chained streams in an Ogg file; libsndfile reads only the first.

    The first pages of multiplexed streams are adjacent.

    Raises:
        ValueError: there are more than 1,000.
    """
    place, starts, was_first = 0, list[int](), False
    while True:
        file.seek(place)
        page = file.read(27 + 255)
        size = _page_size(page)
        if size is None:
            return starts
        is_first = bool(page[5] & 2)
        if is_first and not was_first:
            starts.append(place)
        if len(starts) > PIECES:
            raise ValueError(f"joined from more than {PIECES:,} files")
        place, was_first = place + size, is_first


def _streams(file: BytesIO | BufferedReader, cuts: list[int]) -> Iterator[Recording]:
    for begin, end in pairwise(cuts):
        file.seek(begin)
        yield Recording(BytesIO(file.read(end - begin)))
