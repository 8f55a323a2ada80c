"""A content's digest is of what a signal holds, not of where it lies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gnnfuse.sample import Sample, SignalError, TextFile, Unreadable, media_digest, read_image, text_digest


def pixels(sample: Sample) -> Tensor | None:
    return read_image(sample, "image")


def digest(value: object) -> bytes | None:
    return media_digest(Sample({"image": value}), "image", pixels, expected="a picture")


def test_a_file_is_its_bytes_wherever_they_lie(tmp_path: Path) -> None:
    content, forms = b"not even a picture", []
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(content)
        forms += [tmp_path / name, str(tmp_path / name)]
    forms += [content, {"bytes": content, "path": "c.png"}, {"bytes": None, "path": str(tmp_path / "a.png")}]
    assert len({digest(form) for form in forms}) == 1
    (tmp_path / "a.png").write_bytes(content + b" ")
    assert digest(tmp_path / "a.png") != digest(tmp_path / "b.jpg")


def test_in_memory_it_is_the_numbers_that_are_read() -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    assert digest(rows) == digest(torch.from_numpy(rows).permute(2, 0, 1)) != digest(rows.reshape(2, 4, 3))
    assert digest(rows) != digest(rows + 1)


def test_a_text_is_its_characters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ein Käfer", encoding="utf-8")
    found = [text_digest(Sample({"text": text}), "text") for text in ("ein Käfer", TextFile(tmp_path / "a.txt"))]
    assert found[0] == found[1] != text_digest(Sample({"text": "ein Kafer"}), "text")


def test_absent_is_none_and_unreadable_an_error() -> None:
    assert digest(None) is text_digest(Sample({}), "text") is None
    for value in (Path("nowhere.png"), Unreadable("a path", "another"), b""):
        with pytest.raises(SignalError):
            digest(value)
