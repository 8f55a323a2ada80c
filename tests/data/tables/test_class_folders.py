from pathlib import Path

import pytest

from gnnfuse.data.tables import TableError, TableSamples, guess_columns, open_table, target_kind
from gnnfuse.sample import read_text


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_files_of_one_name_are_one_row(tmp_path: Path) -> None:
    touch(
        tmp_path, "cat/1.png", "cat/1.wav", "cat/1.txt", "cat/deep/2.JPG", "dog/1.png", "dog/1.jpg", "dog/.hidden.png"
    )
    touch(tmp_path, "dog/notes.json", "README.txt")
    table = open_table(tmp_path)
    found = guess_columns(table)
    assert found.columns.image == ("image",)
    assert found.columns.audio == ("audio",)
    assert found.columns.text_file == ("text",)
    assert (found.columns.id, found.columns.target) == ("id", ("label",))
    samples = TableSamples(table, found.columns, target_kind(table, found.columns))
    assert {sample.id: (sample.target, sorted(sample.signals)) for sample in samples} == {
        "cat/1": ("cat", ["audio", "image", "text"]),
        "cat/deep/2": ("cat", ["image"]),
        "dog/1": ("dog", ["image"]),
        "dog/1.png": ("dog", ["image"]),
    }
    by_id = {sample.id: sample for sample in samples}
    assert by_id["cat/1"].signals["image"] == tmp_path / "cat/1.png"
    assert read_text(by_id["cat/1"], "text") == "cat/1.txt"
    assert table.notes == (
        "left out 1 files of unknown kind '.json'",
        "left out 1 files beside the class folders, such as 'README.txt'",
    )


def test_folders_of_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "test/dog/4.png")
    table = open_table(tmp_path)
    assert guess_columns(table).columns.split == "split"
    rows = [(row["label"], row["split"]) for row in table.each(["label", "split"])]
    assert rows == [("dog", "test"), ("cat", "train"), ("dog", "train"), ("cat", "val")]
    streamed = open_table(tmp_path, streaming=True)
    assert [(row["label"], row["split"]) for row in streamed.each(["label", "split"])] == rows


def test_a_folder_with_one_table_is_that_table(tmp_path: Path) -> None:
    touch(tmp_path, "media/cat/1.png")
    (tmp_path / "index.csv").write_text("photo\nmedia/cat/1.png\n")
    table = open_table(tmp_path)
    assert table.columns == ("photo",)
    assert table.media.path == tmp_path


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "1.png")
    with pytest.raises(TableError, match=r"expected .*<class>/<file>"):
        open_table(tmp_path)
