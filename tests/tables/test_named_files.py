import base64
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from gnnfuse.sample import Sample, read_audio, read_image
from gnnfuse.tables import ColumnOptions, Guess, guess_columns, named_files, open_table

PICTURES = {  # ending -> Pillow's name of the format
    **{"jfif": "JPEG", "JPG_large": "JPEG", "mpo": "MPO", "ico": "ICO", "j2k": "JPEG2000", "jp2": "JPEG2000"},
    **{"pbm": "PPM", "pnm": "PPM", "avif": "AVIF", "webp": "WEBP", "tif": "TIFF", "dat": "BMP", "": "PNG", "x": "GIF"},
}
RECORDINGS = {"mp3": "MP3", "sound": "WAV", "": "FLAC", "WAV": "NIST", "snd": "AU", "w64": "W64", "bin": "OGG"}


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image = image.convert("1") if kind == "PBM" else image
    image.save(file, format=kind)
    return file.getvalue()


def recording(kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).uniform(-0.5, 0.5, 3000), 16000, format=kind)
    return file.getvalue()


def guess(folder: Path | None, cells: list[object], **given: list[str]) -> Guess:
    table = open_table([{"photo": cell, "n": n % 3 + 0.5} for n, cell in enumerate(cells)], media=folder)
    return guess_columns(table, ColumnOptions(**given))  # type: ignore[arg-type]  # roles that take lists


def unused(folder: Path | None, cells: list[object]) -> str:
    with pytest.warns(UserWarning, match="column 'photo' is unused: "):
        found = guess(folder, cells)
    assert found.account[0].role == "unused"
    return found.account[0].reason


@pytest.mark.parametrize("ending", PICTURES)
def test_pictures_of_any_ending_are_pictures(tmp_path: Path, ending: str) -> None:
    content = picture(PICTURES[ending])
    names = [f"dog/{n:012}{'.' if ending else ''}{ending}" for n in range(9)]
    (tmp_path / "dog").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(content)
    assert guess(tmp_path, [*names]).columns.image == ("photo",)
    assert read_image(Sample({"x": tmp_path / names[0]}), "x") is not None


@pytest.mark.parametrize("ending", RECORDINGS)
def test_recordings_of_any_ending_are_recordings(tmp_path: Path, ending: str) -> None:
    content = recording(RECORDINGS[ending])
    names = [f"{n:012}{'.' if ending else ''}{ending}" for n in range(9)]  # of digits alone: they read as numbers
    for name in names:
        (tmp_path / name).write_bytes(content)
    assert guess(tmp_path, [*names]).columns.audio == ("photo",)
    assert read_audio(Sample({"x": tmp_path / names[0]}), "x", sample_rate=16000) is not None


def test_what_a_file_holds_comes_before_its_ending_and_its_column(tmp_path: Path) -> None:
    for n in range(9):
        (tmp_path / f"{n}.png").write_bytes(recording("WAV"))
        (tmp_path / f"{n}.review").write_text(f"a fine film {n}")
    assert guess(tmp_path, [f"{n}.png" for n in range(9)]).columns.audio == ("photo",)
    assert guess(tmp_path, [f"{n}.review" for n in range(9)]).columns.text_file == ("photo",)
    table = open_table([{"name": f"{n}.png"} for n in range(9)], media=tmp_path)
    assert guess_columns(table).columns.audio == ("name",)


def test_some_cells_may_name_no_file(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.jfif").write_bytes(picture("JPEG"))
    found = guess(tmp_path, [f"{n}.jfif" for n in range(9)])
    assert found.columns.image == ("photo",)
    assert guess(tmp_path, ["0.jfif", *(f"a picture of {n}" for n in range(9))]).columns.text == ("photo",)


def test_files_that_cannot_be_read_are_named_with_what_to_do(tmp_path: Path) -> None:
    for n in range(9):
        (tmp_path / f"{n}.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
        (tmp_path / f"{n}").write_bytes(b"\x07\x08\x09\x0a" + bytes(100))
        (tmp_path / f"{n}.svg").write_text("<svg></svg>")
    said = unused(tmp_path, [f"{n}.m4a" for n in range(9)])
    assert said == (
        "9 of 9 different cells name files that cannot be read, such as '0.m4a': an M4A recording; "
        "convert it, as by `ffmpeg -i FILE new.wav`"
    )
    assert "files of an unknown kind, which begin with the bytes 07 08 09 0a" in unused(
        tmp_path, ["0", "1", "2", "a/b"]
    )
    assert "an SVG drawing; convert it to PNG or JPEG" in unused(tmp_path, [f"{n}.svg" for n in range(9)])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["dog/0.shot", "cat/1.shot"], "such as 'dog/0.shot'; expected files in "),
        (["dog/00017", "cat/00018"], "2 of 2 different cells look like paths of missing files"),
        (["0.m4a", "1.m4a"], "a recording; convert it"),
        (["x.heic", "y.HEIC"], "a picture; convert it to PNG or JPEG"),
        (["dog\\\\0", "dog\\\\1"], "look like paths"),
        (
            ["https://a.org/1?size=s", "http://b.org/2"],
            "are URLs, which are never fetched, such as 'https://a.org/1?size=s'",
        ),
        (["s3://a/1", "s3://a/2"], "are URLs"),
        ([base64.b64encode(picture("PNG")).decode() + "a" * n for n in (0, 4)], "are base64 of media"),
        (
            [base64.b64encode(np.random.default_rng(n).bytes(90)).decode() for n in (2, 3)],
            "are base64 of bytes of an unknown kind",
        ),
        (["./cat", "../dog"], "look like paths"),
        (["/cat", "C:\\dog"], "look like paths"),
        (["a/b/cat", "a/c/dog"], "look like paths"),
        (["data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgoAAA=="], "decode them into files"),
    ],
)
@pytest.mark.parametrize("folder", [True, False])
def test_what_only_looks_like_files_is_never_text(tmp_path: Path, cells: list[object], said: str, folder: bool) -> None:
    assert said in unused(tmp_path if folder else None, cells)
    given = guess(tmp_path, cells, text=["photo"])
    assert given.columns.text == ("photo",)
    assert given.account[0].reason.startswith("given, though 2 of 2 different cells ")


@pytest.mark.parametrize(
    "cells",
    [
        ["see http://a.org", "or b.png/c d"],
        ["ACGT" * 30, "CATG" * 30],
        ["1/2 cup", "2/3 cup"],
        ["Hello.", "Bye."],
        ["v1.2", "v1.3"],
        ["CC(=O)O", "C1=CC=CC=C1"],
        ["1/2", "3/4"],
        ["..", "a" * 5000],
        ["and/or", "km/h", "black/white7"],
        ["F/C=C/F", "F/C=C\\F"],
        ["ab" * 32, "0f" * 32],
    ],
)
def test_ordinary_texts_stay_texts(tmp_path: Path, cells: list[object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert guess(tmp_path, cells).columns.text == ("photo",)


def test_nothing_outside_the_folder_and_no_pipe_is_opened(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(picture("PNG"))
    (inside / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(inside / "pipe")
    assert "look like paths" in unused(inside, ["../secret", str(tmp_path / "secret")])
    assert guess(inside, ["link", "pipe"]).columns.text == ("photo",)


def test_only_some_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    for n in range(300):
        (tmp_path / "d" / str(n)).write_bytes(b"\xff\xd8\xff" + bytes(9))
    opened: list[Path] = []
    real = named_files._head

    def noted(path: Path) -> bytes | None:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(named_files, "_head", noted)
    assert guess(tmp_path, [f"d/{n}" for n in range(300)]).columns.image == ("photo",)
    assert len([path for path in opened if path.parent.name == "d"]) == 100


def test_a_table_without_inputs_gives_the_reasons(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="is unused"):
        found = guess(tmp_path, ["a/1.m4a", "a/2.m4a"], features=[])
    with pytest.raises(ValueError, match=r"found no column to read, .*numbers \(--features\); photo: 2 of 2 .*convert"):
        found.refuse_none()
