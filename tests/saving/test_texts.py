from pathlib import Path
from typing import Any

import pytest

from gnnfuse.saving.texts import LONG, move_texts_out, read_texts

LONG_TEXT = "é\r\n" * LONG


@pytest.mark.parametrize(
    "described",
    [
        None,
        "short",
        LONG_TEXT,
        {"arguments": {"text": "abc"}},
        {"arguments": {"text": "../config.json"}},
        {"text": LONG_TEXT, "other": [1, {"deep": [LONG_TEXT, "x" * (LONG + 1)]}]},
    ],
    ids=str,
)
def test_what_is_moved_out_comes_back(described: Any, tmp_path: Path) -> None:
    assert read_texts(move_texts_out(described, tmp_path), tmp_path) == described


def test_equal_texts_are_one_file(tmp_path: Path) -> None:
    move_texts_out([LONG_TEXT, {"again": LONG_TEXT}, "short"], tmp_path)
    assert len(list((tmp_path / "texts").iterdir())) == 1


def test_an_altered_or_missing_text_is_refused(tmp_path: Path) -> None:
    moved = move_texts_out([LONG_TEXT], tmp_path)
    (file,) = (tmp_path / "texts").iterdir()
    file.write_text("another")
    with pytest.raises(ValueError, match="its content is not what was saved"):
        read_texts(moved, tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="expected what save_pretrained wrote"):
        read_texts(moved, tmp_path)
