"""Which modality a file or some bytes hold, told by the name's ending and by how the bytes begin."""

from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"}
)
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"})
TEXT_SUFFIXES = frozenset({".txt", ".md"})
IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5\n", b"P6\n", b"\0\0\0\x0cjP")
AUDIO_MAGIC = (b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff", b"RF64", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def kind_of_name(name: str) -> str | None:
    """The modality of a file by its ending: "image", "audio", "text" or None.

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
    if head.startswith(IMAGE_MAGIC) or head[4:12] == b"ftypavif":
        return "image"
    return "audio" if head.startswith(AUDIO_MAGIC) else None
