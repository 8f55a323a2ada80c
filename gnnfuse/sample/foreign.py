"""Identifies common unreadable kinds of files by first bytes or suffix, with advice on conversion."""

from pathlib import PurePosixPath

CONVERT_SOUND = "convert it, as by `ffmpeg -i FILE new.wav`"
CONVERT_PICTURE = "convert it to PNG or JPEG"
BRANDS = {  # brands of ISO base media files, at byte 8
    b"heic": f"a HEIC picture; {CONVERT_PICTURE}",
    b"heix": f"a HEIC picture; {CONVERT_PICTURE}",
    b"mif1": f"a HEIF picture; {CONVERT_PICTURE}",
    b"M4A ": f"an M4A recording; {CONVERT_SOUND}",
}
MAGIC = (
    (b"\xff\xf1", f"an AAC recording; {CONVERT_SOUND}"),
    (b"\xff\xf9", f"an AAC recording; {CONVERT_SOUND}"),
    (b"\x30\x26\xb2\x75", f"a WMA or WMV file; {CONVERT_SOUND}"),
    (b"\x1a\x45\xdf\xa3", f"a WebM or Matroska file; {CONVERT_SOUND}"),
    (b"#!AMR", f"an AMR recording; {CONVERT_SOUND}"),
    (b"MThd", "a MIDI file, which holds notes rather than sound"),
    (b"8BPS", f"a Photoshop picture; {CONVERT_PICTURE}"),
    (b"\xff\x0a", f"a JPEG XL picture; {CONVERT_PICTURE}"),
    (b"\0\0\0\x0cJXL ", f"a JPEG XL picture; {CONVERT_PICTURE}"),
    (b"<svg", f"an SVG drawing; {CONVERT_PICTURE}"),
    (b"%PDF", f"a PDF file; {CONVERT_PICTURE}, or take its text out"),
    (b"%!PS", f"a PostScript file, which is a program; {CONVERT_PICTURE}"),
    (b"\x93NUMPY", "a NumPy array; pass the numbers themselves"),
    (b"\x89HDF", "an HDF5 file; pass the numbers themselves"),
    (b"PK\x03\x04", "a ZIP file; unpack it"),
    (b"\x1f\x8b", "a gzip file; unpack it"),
    (b"<!DOCTYPE", "an HTML page, perhaps from a failed download"),
    (b"<html", "an HTML page, perhaps from a failed download"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file by `git lfs pull`"),
)
SUFFIXES = {
    **dict.fromkeys((".m4a", ".m4b", ".aac", ".wma", ".amr", ".mka", ".ape", ".wv"), f"a recording; {CONVERT_SOUND}"),
    **dict.fromkeys(
        (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg"), f"a film; {CONVERT_SOUND}"
    ),
    **dict.fromkeys(
        (".heic", ".heif", ".jxl", ".psd", ".svg", ".dcm", ".raw", ".dng"), f"a picture; {CONVERT_PICTURE}"
    ),
    **dict.fromkeys((".eps", ".ps", ".pdf", ".docx", ".doc"), f"a document; {CONVERT_PICTURE}, or take its text out"),
    **dict.fromkeys((".npy", ".npz", ".h5", ".hdf5", ".pt", ".nii"), "numbers; pass the numbers themselves"),
    **dict.fromkeys((".zip", ".gz", ".tar", ".7z", ".rar"), "an archive; unpack it"),
}


def foreign_name(name: str) -> str | None:
    """The kind of an unreadable file by its suffix, and what to do; None for other suffixes.

    Example:
        >>> foreign_name("speech/1.M4A")
        'a recording; convert it, as by `ffmpeg -i FILE new.wav`'
    """
    return SUFFIXES.get(PurePosixPath(name.replace("\\", "/")).suffix.lower())


def foreign(head: bytes) -> str | None:
    """The kind of an unreadable file by its first bytes, and what to do; None for other bytes.

    Args:
        head: at least 12 bytes; DICOM needs 132, and HTML or SVG may follow white space.

    Example:
        >>> foreign(b"%PDF-1.7")
        'a PDF file; convert it to PNG or JPEG, or take its text out'
    """
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis"):
        return BRANDS.get(head[8:12], f"an MPEG-4 file (MP4, MOV); {CONVERT_SOUND}")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return f"an AVI film; {CONVERT_SOUND}"
    if head[128:132] == b"DICM":
        return f"a DICOM picture; {CONVERT_PICTURE}"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:32]
    return next((what for magic, what in MAGIC if start.lower().startswith(magic.lower())), None)
