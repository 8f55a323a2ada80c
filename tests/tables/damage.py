"""A table with pictures, recordings and texts, and ways to damage its rows: seeded, small files, huge headers."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

Rng = np.random.Generator
COLUMNS = ("photo", "clip", "caption")


def png(width: int, height: int, raw: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG file by hand: header, chunks put in between, pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(raw, 1))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def wav(samples: bytes, rate: int, channels: int = 1, bits: int = 16, kind: int = 1, announced: int = -1) -> bytes:
    size = len(samples) if announced < 0 else announced
    width = channels * bits // 8
    form = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * width % 2**32, width, bits)
    return (
        b"RIFF"
        + struct.pack("<I", (36 + size) % 2**32)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", size)
        + samples
    )


def picture(rng: Rng, kind: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def recording(rng: Rng, kind: str = "WAV", frames: int = 800) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, rng.uniform(-0.5, 0.5, frames).astype(np.float32), 8000, format=kind)
    return file.getvalue()


ZEROS = zlib.compress(b"\0" * 100_000_000, 9)  # 100 kB that hold 100 MB
GIF_HUGE = (
    b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
)
JPEG_HUGE = bytes.fromhex("ffd8ffc0001108ffffffff03012200021101031101ffda000c03010002110311003f00") + b"\0" * 50
FLAC_HUGE = (
    b"fLaC\x80\0\0\x22" + bytes.fromhex("10001000000000000000") + b"\x01\xf4\x02\xff\xff\xff\xff\xff" + b"\0" * 16
)


def _cut(whole: bytes, rng: Rng) -> bytes:
    return whole[: int(len(whole) * rng.uniform(0.1, 0.85))]


@dataclass(frozen=True)
class Damage:
    """One way to damage a row.

    Args:
        name: of the kind.
        column: which cell is damaged.
        ending: of the file that the cell then names; "" where `make` gives the cell itself.
        make: gives the file's bytes, or the cell.
        harmless: unusual, but readable.
    """

    name: str
    column: str
    ending: str
    make: Callable[[Rng], bytes]
    harmless: bool = False


def _image(name: str, make: Callable[[Rng], bytes], ending: str = ".png", harmless: bool = False) -> Damage:
    return Damage(name, "photo", ending, make, harmless)


def _audio(name: str, make: Callable[[Rng], bytes], ending: str = ".wav") -> Damage:
    return Damage(name, "clip", ending, make)


def _path(name: str, cell: bytes) -> list[Damage]:
    return [Damage(f"{name} in {column}", column, "", lambda rng: cell) for column in ("photo", "clip")]


DAMAGES: tuple[Damage, ...] = (
    *(
        _image(f"truncated {kind}", lambda rng, kind=kind: _cut(picture(rng, kind), rng), ending)  # type: ignore[misc]
        for kind, ending in (("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("BMP", ".bmp"), ("TIFF", ".tif"))
    ),
    *(
        _audio(f"truncated {kind}", lambda rng, kind=kind: _cut(recording(rng, kind), rng), f".{kind.lower()}")  # type: ignore[misc]
        for kind in ("WAV", "FLAC", "OGG")
    ),
    *(_image(f"random bytes {ending}", lambda rng: rng.bytes(500), ending) for ending in (".png", ".jpg", ".webp")),
    *(
        _image(f"random bytes after a beginning {head!r}", lambda rng, head=head: head + rng.bytes(500))  # type: ignore[misc]
        for head in (
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff\xe0",
            b"RIFF\x40\1\0\0WEBPVP8 ",
            b"GIF89a",
            b"BM",
            b"II*\0",
            b"P6\n",
        )
    ),
    *(_audio(f"random bytes {ending}", lambda rng: rng.bytes(500), ending) for ending in (".wav", ".mp3", ".ogg")),
    *(
        _audio(f"random bytes after a beginning {head!r}", lambda rng, head=head: head + rng.bytes(500))  # type: ignore[misc]
        for head in (b"RIFF\x40\1\0\0WAVE", b"fLaC", b"OggS", b"ID3\4\0\0\0\0\0\0", b"FORM", b".snd", b"caff")
    ),
    _image("a recording under a picture's name", recording),
    _image("a text under a picture's name", lambda rng: b"<html>not found</html>"),
    _image("an archive under a picture's name", lambda rng: b"PK\3\4" + rng.bytes(100), ".jpg"),
    _image("PostScript under a picture's name", lambda rng: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    _audio("a picture under a recording's name", picture),
    _audio("a text under a recording's name", lambda rng: b"no recording", ".mp3"),
    _image("no bytes in a picture", lambda rng: b"", ".jpg"),
    _audio("no bytes in a recording", lambda rng: b"", ".flac"),
    _audio("NaN", lambda rng: wav(np.full(400, np.nan, np.float32).tobytes(), 8000, bits=32, kind=3)),
    _audio("infinity", lambda rng: wav(np.full(400, np.inf, np.float32).tobytes(), 8000, bits=32, kind=3)),
    _audio("integers as floats", lambda rng: wav(np.full(400, 3e4, np.float32).tobytes(), 8000, bits=32, kind=3)),
    _audio("no frames", lambda rng: wav(b"", 8000)),
    *(
        _audio(f"sample rate {rate}", lambda rng, rate=rate: wav(rng.bytes(400), rate))  # type: ignore[misc]
        for rate in (0, 1, 10**9, 2**32 - 1)
    ),
    _audio("sample rate 1 over an hour", lambda rng: wav(b"\0\0" * 4000, 1)),
    _audio("2^36 frames announced", lambda rng: FLAC_HUGE, ".flac"),
    _audio("frames announced that are not there", lambda rng: wav(rng.bytes(400), 8000, announced=2**30)),
    _audio("no channels", lambda rng: wav(rng.bytes(400), 8000, channels=0)),
    _image("1 x 1 pixels", lambda rng: picture(rng, "PNG", (1, 1)), harmless=True),
    _image("20,000 x 20,000 pixels", lambda rng: png(20_000, 20_000, rng.bytes(100))),
    _image("10,000 x 10,000 pixels", lambda rng: png(10_000, 10_000, rng.bytes(100))),
    _image("2^31 x 2^31 pixels", lambda rng: png(2**31 - 1, 2**31 - 1, rng.bytes(100))),
    _image("0 x 0 pixels", lambda rng: png(0, 0)),
    _image("a GIF of 65,535 x 65,535", lambda rng: GIF_HUGE, ".gif"),
    _image("a JPEG of 65,535 x 65,535", lambda rng: JPEG_HUGE, ".jpg"),
    _image("a bomb in a text", lambda rng: png(4, 4, b"\0" * 52, chunk(b"zTXt", b"a\0\0" + ZEROS))),
    _image(
        "a bomb in an international text", lambda rng: png(4, 4, b"\0" * 52, chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS))
    ),
    Damage("broken UTF-8", "caption", "", lambda rng: b"a caf\xe9 " + bytes([int(rng.integers(128, 192))])),
    Damage("UTF-16", "caption", "", lambda rng: "a caf\u00e9".encode("utf-16")),
    *_path("a path that goes up", b"../outside/secret.png"),
    *_path("a path that goes down and up", b"media/../../outside/secret.png"),
    *_path("an absolute path", b"/etc/passwd"),
    *_path("a file URL", b"file:///etc/passwd"),
    *_path("a URL", b"https://example.org/a.png"),
    *_path("a network path", b"\\\\server\\share\\a.png"),
    *_path("a drive", b"C:\\pictures\\a.png"),
    *_path("a NUL byte", b"media/a\0.png"),
    *_path("a link that leads out", b"media/link.png"),
    *_path("a link to a device", b"media/zero.png"),
    *_path("a missing file", b"media/missing.png"),
    *_path("a folder", b"media"),
    *_path("a pipe", b"media/pipe.png"),
    *_path("a name that is too long", b"media/" + b"a" * 5000 + b".png"),
    *_path("a name that is not UTF-8", b"media/\xff\xfe.png"),
    *_path("a link to itself", b"media/loop.png"),
)


@dataclass(frozen=True)
class Tables:
    """Two tables of the same rows, one damaged.

    Args:
        damaged: the file.
        clean: the file.
        done: row number, from 0 -> what was done to it.
    """

    damaged: Path
    clean: Path
    done: dict[int, Damage]


def make_tables(folder: Path, *, damaged: int, clean: int, seed: int = 0) -> Tables:
    """Write both tables and their files; every way to damage a row comes again and again."""
    rng = np.random.default_rng(seed)
    media, outside = folder / "table" / "media", folder / "outside"
    media.mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.png").write_bytes(picture(rng))
    (media / "link.png").symlink_to(outside / "secret.png")
    (media / "zero.png").symlink_to("/dev/zero")
    (media / "loop.png").symlink_to("loop.png")
    os.mkfifo(media / "pipe.png")
    order = rng.permutation(damaged + clean)
    done = {int(row): DAMAGES[place % len(DAMAGES)] for place, row in enumerate(order[:damaged])}
    good, bad = [b"id,photo,clip,caption,label"], [b"id,photo,clip,caption,label"]
    for row in range(damaged + clean):
        cells = {
            "photo": f"media/{row}.png".encode(),
            "clip": f"media/{row}.wav".encode(),
            "caption": b"number %d" % row,
        }
        (media / f"{row}.png").write_bytes(picture(rng))
        (media / f"{row}.wav").write_bytes(recording(rng))
        good.append(_line(row, cells))
        if row in done:
            cells[done[row].column] = _damaged_cell(done[row], media, row, rng)
        bad.append(_line(row, cells))
    tables = Tables(media.parent / "damaged.csv", media.parent / "clean.csv", done)
    tables.damaged.write_bytes(b"\n".join(bad) + b"\n")
    tables.clean.write_bytes(b"\n".join(good) + b"\n")
    return tables


def _damaged_cell(damage: Damage, media: Path, row: int, rng: Rng) -> bytes:
    content = damage.make(rng)
    if not damage.ending:
        return content
    path = media / f"damaged-{row}{damage.ending}"
    path.write_bytes(content)
    return f"media/{path.name}".encode()


def _line(row: int, cells: dict[str, bytes]) -> bytes:
    quoted = [b'"' + cells[name].replace(b'"', b'""') + b'"' for name in COLUMNS]
    return b",".join([b"n%d" % row, *quoted, b"even" if row % 2 == 0 else b"odd"])
