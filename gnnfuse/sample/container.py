"""Whether a recording's file is whole: libsndfile reads what is left of a truncated WAV or Ogg file in silence."""

from pathlib import Path

LONGEST_PAGE = 27 + 255 + 255 * 255  # header, segment table, segments of an Ogg page (RFC 3533)
UNKNOWN_SIZE = 0xFFFFFF00  # writers to a pipe leave the largest number, rounded down


def refuse_truncated(path: Path) -> None:
    """Refuse a WAV file shorter than its header says, and an Ogg file that does not end with a stream's last page.

    FLAC needs no help: libsndfile reports it. MP3 is known to be truncated only where it begins with a Xing or Info
    header (then libsndfile reads fewer frames than that announces); otherwise the rest is all there is to see.

    Raises:
        ValueError: says what is missing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(max(0, size - 2 * LONGEST_PAGE))
        tail = file.read()
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        announced = int.from_bytes(head[4:8], "little") + 8
        if size + 1 < announced < UNKNOWN_SIZE:
            raise ValueError(f"truncated: {size} of {announced} bytes")
    elif head[:4] == b"OggS" and not _ends_a_stream(tail):
        raise ValueError(f"truncated: no last Ogg page within {size} bytes")


def _ends_a_stream(tail: bytes) -> bool:
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return bool(page[5] & 4) and len(page) >= whole
