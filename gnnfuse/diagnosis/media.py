"""The formats of pictures and recordings that can be read: each is written and read back."""

import io
from collections.abc import Callable, Iterator

import numpy as np

from gnnfuse.diagnosis.report import Finding, said

PICTURES = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
RECORDINGS = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
NEEDED = ("PNG", "JPEG", "WAV", "FLAC")


def media(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding for pictures, one for recordings."""
    tell("reading pictures and recordings")
    yield _tried("pictures", PICTURES, _picture, _pillow, 'pip install --force-reinstall "pillow"')
    yield _tried("recordings", tuple(RECORDINGS), _recording, _sndfile, 'pip install --force-reinstall "soundfile"')


def _tried(
    name: str, formats: tuple[str, ...], read: Callable[[str], None], library: Callable[[], str], advice: str
) -> Finding:
    try:
        by = library()
    except Exception as error:  # the loader of a broken library may raise anything
        return Finding(name, "broken", said(error), advice.replace("--force-reinstall ", ""))
    failed: dict[str, str] = {}
    for each in formats:
        try:
            read(each)
        except Exception as error:  # the library was built without this codec
            failed[each] = said(error)
    works = [each for each in formats if each not in failed]
    text = f"{', '.join(works) or 'none'} by {by}" + (f"; not {', '.join(failed)}" if failed else "")
    lacking = [each for each in failed if each in NEEDED]
    status = "broken" if lacking else "note" if failed else "ok"
    return Finding(name, status, text, advice if failed else "", {"read": works, "failed": failed})  # type: ignore[arg-type]


def _picture(kind: str) -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 100, 50)).save(file, kind)
    Image.open(io.BytesIO(file.getvalue())).load()


def _recording(kind: str) -> None:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.zeros(4800, np.float32), 16000, format=kind, subtype=RECORDINGS[kind])
    samples, rate = soundfile.read(io.BytesIO(file.getvalue()))
    if rate != 16000 or not len(samples):
        raise ValueError(f"wrote 4800 samples at 16000 Hz, read {len(samples)} at {rate} Hz")


def _pillow() -> str:
    import PIL
    from PIL import Image

    Image.init()
    return f"pillow {PIL.__version__}"


def _sndfile() -> str:
    import soundfile

    return f"libsndfile {soundfile.__libsndfile_version__}"
