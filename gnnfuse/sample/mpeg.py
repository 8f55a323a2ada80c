"""Counts MPEG audio (MP3) frames without decoding, to find the length and detect truncation before decoding.

ISO/IEC 11172-3 and 13818-3 define the frame header; "MPEG 2.5" and the Xing, Info and VBRI headers are conventions of
encoders. Without such a header libsndfile (1.2) estimates the length from the file's size and first bit rate, and stops
there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

VERSIONS = {0: 2.5, 2: 2.0, 3: 1.0}
LAYERS = {1: 3, 2: 2, 3: 1}
RATES = {1.0: (44100, 48000, 32000), 2.0: (22050, 24000, 16000), 2.5: (11025, 12000, 8000)}  # Hz
KILOBITS = {  # per second, by layer and whether the version is 1; index 0 is "free format"
    (1, True): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (2, True): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, True): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (1, False): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, False): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (3, False): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
LONGEST_FREE = 5761  # bytes of a free-format frame: 640 kbit/s at 32 kHz, doubled for version 2
JUNK = 1 << 16  # bytes within which the next frame must begin; tags and zeros do not count
ZEROS = 16  # this many zeros in a row are no accident
SEARCHES = 64  # most searches for a free-format frame size per file: junk would start one at every other byte
PIECES = 1000  # each needs a decoder of about 70 kB
NOT_ZERO = re.compile(rb"[^\0]")
LYRICS_END = re.compile(rb"LYRICS200|LYRICSEND")
TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
CANDIDATE = re.compile(rb"\xff[\xe0-\xff]|" + b"|".join(TAGS))  # a frame or a tag
SEVENS = (21, 14, 7, 0)  # an ID3v2 tag's size is four numbers of seven bits

Form = tuple[float, int, int, bool]  # shared by all frames that one decoder reads: version, layer, rate, mono


class Header(NamedTuple):
    """The content of a frame's first four bytes.

    Args:
        size: bytes of the frame; in free format, only its padding.
        samples: samples per channel.
        rate: sample rate in Hz.
        form: version, layer, rate, mono or not.
        free: whether the header lacks the bit rate, and hence the size.
    """

    size: int
    samples: int
    rate: int
    form: Form
    free: bool


@dataclass
class Piece:
    """Frames of one form, decoded as a file of their own.

    Args:
        header: of the first frame.
        frames: (start, end) of each frame in the file.
        announced: (frames, bytes) that a Xing, Info or VBRI header in front of them announces; None where unknown.
        info: (start, end) of that header's own frame.
        readable_info: whether libsndfile reads that header.
    """

    header: Header
    frames: list[tuple[int, int]] = field(default_factory=list)
    announced: tuple[int | None, int | None] = (None, None)
    info: tuple[int, int] | None = None
    readable_info: bool = False

    @property
    def counted(self) -> bool:
        """Whether the header in front announces exactly these frames."""
        return self.readable_info and self.announced[0] == len(self.frames)


def pieces_of(data: bytes) -> list[Piece]:
    """The frames of an MPEG recording, in pieces: a Xing, Info or VBRI header or a change of form begins a new one.

    ID3v1, ID3v2, APE and Lyrics3 tags, zeros and up to 64 KiB of anything else are skipped before, between and after
    frames. Each of several joined files becomes a piece, since each has its own encoder delay.

    Returns:
        The pieces; none if the data does not begin like an MPEG recording.

    Raises:
        ValueError: the last frame is incomplete, there are fewer frames than announced, more than 64 KiB are neither
            frames nor tags, or there are more than 1,000 pieces.
    """
    walk, pieces = _Walk(data), list[Piece]()
    for start, end, header in walk.frames():
        announced = _announced(data, start, header)
        if announced is not None:
            readable, *numbers = announced
            pieces.append(Piece(header, [], (numbers[0], numbers[1]), (start, end), readable))
            continue
        if not pieces or pieces[-1].header.form != header.form:
            pieces.append(Piece(header))
        if len(pieces) > PIECES:
            raise ValueError(f"joined from more than {PIECES:,} files")
        pieces[-1].frames.append((start, end))
    for piece in pieces:
        _refuse_short(piece)
    return [piece for piece in pieces if piece.frames]


def stream_of(data: bytes, piece: Piece) -> tuple[BytesIO, int | None]:
    """A piece as a file that libsndfile reads to its end, and the samples to read; None for all announced ones.

    If no header announces the frames, the first frame is appended repeatedly until libsndfile's estimate exceeds their
    end; the repeated frames are never read.
    """
    runs = [piece.info, *piece.frames] if piece.counted and piece.info else piece.frames
    content = b"".join(data[start:end] for start, end in runs)
    if piece.counted:
        return BytesIO(content), None
    start, end = piece.frames[0]
    first = data[start:end]
    missing = (len(piece.frames) + 2) * len(first) - len(content)
    return BytesIO(content + first * max(2, -(-missing // len(first)))), len(piece.frames) * piece.header.samples


def behind_id3(data: bytes, place: int = 0) -> int:
    """The end of the ID3v2 tag that begins at a position with a complete header of 10 bytes."""
    size = sum((byte & 0x7F) << shift for byte, shift in zip(data[place + 6 : place + 10], SEVENS, strict=True))
    return place + 10 + size + (10 if data[place + 5] & 0x10 else 0)  # a footer repeats the header


def _refuse_short(piece: Piece) -> None:
    frames, size = piece.announced
    if piece.info is None or not frames or frames <= len(piece.frames):
        return
    found = sum(end - start for start, end in (piece.info, *piece.frames))
    if size != found:  # some encoders count the header's own frame; then no bytes are missing
        raise ValueError(f"damaged or truncated: {len(piece.frames)} of {frames} announced MPEG frames")


def _announced(data: bytes, start: int, header: Header) -> tuple[bool, int | None, int | None] | None:
    """Whether libsndfile reads the header in a frame, and the frames and bytes it announces; None without a header."""
    version, layer, _, mono = header.form
    if layer != 3:
        return None
    place = start + 4 + ((17 if mono else 32) if version == 1.0 else (9 if mono else 17))
    if data[place : place + 4] in (b"Xing", b"Info"):
        flags = _number(data, place + 4)
        frames = _number(data, place + 8) if flags & 1 else None
        size = _number(data, place + 8 + 4 * (flags & 1)) if flags & 2 else None
        return True, frames, size
    place = start + 36
    if data[place : place + 4] == b"VBRI":
        return False, _number(data, place + 14), _number(data, place + 10)
    return None


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")


@lru_cache(maxsize=4096)
def _header(word: bytes) -> Header | None:
    if len(word) < 4 or word[0] != 0xFF or word[1] & 0xE0 != 0xE0:
        return None
    version, layer = VERSIONS.get(word[1] >> 3 & 3), LAYERS.get(word[1] >> 1 & 3)
    bits, rate_bits, padding = word[2] >> 4, word[2] >> 2 & 3, word[2] >> 1 & 1
    if version is None or layer is None or bits == 15 or rate_bits == 3:
        return None
    rate, kilobits = RATES[version][rate_bits], KILOBITS[layer, version == 1.0][bits]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 1.0 else 576}[layer]
    slot = 4 if layer == 1 else 1  # bytes; a frame is a whole number of slots
    size = (samples // 8 * kilobits * 1000 // (rate * slot) + padding) * slot
    return Header(size, samples, rate, (version, layer, rate, word[3] >> 6 == 3), bits == 0)


class _Walk:
    """Goes from frame to frame."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.free: dict[Form, int] = {}  # bytes of a free-format frame without padding
        self.searches = SEARCHES
        self.lyrics = True  # whether an end of lyrics may still follow

    def frames(self) -> Iterator[tuple[int, int, Header]]:
        """(start, end, header) of each frame.

        Raises:
            ValueError: as `pieces_of`.
        """
        data, place, form, count, junk = self.data, 0, None, 0, 0
        while place < len(data):
            header = _header(data[place : place + 4])
            end = place if header is None else place + self._size(place, header)
            if header is not None and place < end and (header.form == form or self._begins(end, header.form)):
                if end > len(data):
                    raise ValueError(f"truncated: {len(data) - place} of {end - place} bytes of MPEG frame {count + 1}")
                yield place, end, header
                place, form, count, junk = end, header.form, count + 1, 0
                continue
            if form is not None and len(data) - place < 4 and data[place] == 0xFF:
                raise ValueError(f"truncated: {len(data) - place} bytes of MPEG frame {count + 1}")
            form, following = None, self._behind_tag(place)
            if following == place:
                found = CANDIDATE.search(data, place + 1)
                following = len(data) if found is None else found.start()
                junk += following - place
            else:
                junk += ZEROS  # an endless run of empty tags is junk too
            if junk > JUNK and not count:
                return
            if junk > JUNK:
                raise ValueError(f"damaged: {junk:,} bytes behind MPEG frame {count} are neither frames nor tags")
            place = following

    def _size(self, place: int, header: Header) -> int:
        """Bytes of the frame; 0 in free format if the next frame is not found."""
        if not header.free:
            return header.size
        if header.form not in self.free:
            if not self.searches:
                return 0
            self.searches -= 1
            for length in range(24, LONGEST_FREE):
                following = _header(self.data[place + length : place + length + 4])
                if following is not None and following.free and following.form == header.form:
                    self.free[header.form] = length - header.size
                    break
            else:
                return 0
        return self.free[header.form] + header.size

    def _begins(self, end: int, form: Form) -> bool:
        """Whether a frame is followed by two more of its form, or earlier by the end, a tag or zeros."""
        if end > len(self.data):
            return False
        for _ in range(2):
            header = _header(self.data[end : end + 4])
            if header is None or header.form != form:
                return self.data.startswith(TAGS, end) or not self.data[end : end + ZEROS].strip(b"\0")
            end += self._size(end, header)
            if end > len(self.data):
                return True
        return True

    def _behind_tag(self, place: int) -> int:
        """The end of the tag or zeros that begin at a position; the position itself if there are none."""
        data = self.data
        if data[place : place + 1] == b"\0":
            found = NOT_ZERO.search(data, place)
            return len(data) if found is None else found.start()
        if data[place : place + 3] == b"ID3" and len(data) >= place + 10:
            return behind_id3(data, place)
        if data[place : place + 8] == b"APETAGEX" and len(data) >= place + 32:
            size = int.from_bytes(data[place + 12 : place + 16], "little")
            return place + 32 + (size if data[place + 23] & 0x20 else 0)  # a footer follows its tag
        if data[place : place + 4] == b"TAG+":
            return place + 227
        if data[place : place + 3] == b"TAG":
            return place + 128
        if data[place : place + 11] == b"LYRICSBEGIN" and self.lyrics:
            found = LYRICS_END.search(data, place)
            self.lyrics = found is not None
            return place if found is None else found.end()
        return place
