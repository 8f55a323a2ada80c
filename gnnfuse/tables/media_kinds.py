"""The modality of a file by its suffix, or of encoded media by their first bytes."""

import re
from pathlib import PurePosixPath

from gnnfuse.sample import container

IMAGE_SUFFIXES = frozenset(
    {
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif"),
        *(".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf", ".avif"),
        *(".avifs", ".ico"),
    }
)
AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd"),
        *(".caf", ".w64", ".rf64", ".sph", ".nist"),
    }
)
TEXT_SUFFIXES = frozenset({".txt", ".md"})
IMAGE_MAGIC = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51", b"\0\0\x01\0"),
)
NETPBM = re.compile(rb"P([1-6]|[fF])[ \t\r\n]")
AUDIO_MAGIC = (b"ID3", *container.MAGIC)
# The sync word of an MPEG frame of layer III or II; AAC has layer 0, and a UTF-16 byte order mark reads as layer I.
MPEG_FRAME = re.compile(rb"\xff[\xe2\xe3\xe4\xe5\xf2-\xf5\xfa-\xfd]")


def kind_of_name(name: str) -> str | None:
    """The modality of a file by its suffix: "image", "audio", "text" or None.

    Example:
        >>> kind_of_name("photos/Cat.JPG"), kind_of_name("a cat.")
        ('image', None)
    """
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    found = {"image": IMAGE_SUFFIXES, "audio": AUDIO_SUFFIXES, "text": TEXT_SUFFIXES}
    return next((kind for kind, suffixes in found.items() if suffix in suffixes), None)


def kind_of_bytes(head: bytes) -> str | None:
    """The modality of encoded media by their first bytes: "image", "audio" or None.

    Example:
        >>> kind_of_bytes(b"RIFF....WAVEfmt ")
        'audio'
    """
    if head[:4] == b"RIFF":
        return {b"WEBP": "image", b"WAVE": "audio"}.get(head[8:12])
    if head.startswith(IMAGE_MAGIC) or NETPBM.match(head) or head[4:12] in (b"ftypavif", b"ftypavis"):
        return "image"
    return "audio" if head.startswith(AUDIO_MAGIC) or MPEG_FRAME.match(head) else None
