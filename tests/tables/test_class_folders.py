import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gnnfuse.sample import read_text
from gnnfuse.tables import TableError, TableSamples, guess_columns, open_table, target_kind
from gnnfuse.tables.split_folders import split_folders


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
    assert rows == [("dog", "test"), ("cat", "train"), ("dog", "train"), ("cat", "valid")]
    streamed = open_table(tmp_path, streaming=True)
    assert [(row["label"], row["split"]) for row in streamed.each(["label", "split"])] == rows


SPLITS = ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png")
ROWS = [("cat", "test"), ("cat", "train"), ("dog", "train")]


@pytest.mark.parametrize(
    ("strangers", "note"),
    [
        (["__MACOSX/train/cat/._1.png"], "left out 1 folders without media, such as '__MACOSX'"),
        (["annotations/1.xml"], "left out 1 folders without media, such as 'annotations'"),
        (["unlabeled/4.png", "unlabeled/5.png"], "left out 2 files of 'unlabeled' that are in no class folder"),
        (["valid/4.png"], "left out 1 files of 'valid' that are in no class folder"),
        (["train/4.png"], "left out 1 files of 'train' that are in no class folder"),
        ([".git/cat/4.png", "train/cat/.DS_Store"], None),
    ],
)
def test_splits_are_splits_beside_strangers(tmp_path: Path, strangers: list[str], note: str | None) -> None:
    touch(tmp_path, *SPLITS, *strangers)
    table = open_table(tmp_path)
    assert [(row["label"], row["split"]) for row in table.each(["label", "split"])] == ROWS
    assert note is None or note in table.notes


def test_an_empty_folder_is_no_class(tmp_path: Path) -> None:
    touch(tmp_path, *SPLITS)
    (tmp_path / "unlabeled").mkdir()
    table = open_table(tmp_path)
    assert [(row["label"], row["split"]) for row in table.each(["label", "split"])] == ROWS
    assert table.notes == ("left out 1 folders without media, such as 'unlabeled'",)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("seg_train", "seg_test"), {"seg_train": "train", "seg_test": "test"}),
        (("train_images", "validation-images"), {}),
        (("images_train", "images_dev"), {"images_train": "train", "images_dev": "valid"}),
        (("train2017", "val2017", "test2018"), {"train2017": "train", "val2017": "valid", "test2018": "test"}),
        (("TRAIN", "Validation"), {"TRAIN": "train", "Validation": "valid"}),
        (("train_station", "test_tube"), {}),
        (("trains", "tests"), {}),
    ],
)
def test_names_of_splits(names: tuple[str, ...], splits: dict[str, str]) -> None:
    files = [(name, "cat", f"{k}.png") for k, name in enumerate(names)]
    assert {name: found.split for name, found in split_folders(Path("pets"), files).items()} == splits


def test_a_folder_of_its_own_name_within_a_split_is_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "seg_train/seg_train/cat/1.png", "seg_test/seg_test/dog/deep/2.png", "seg_pred/seg_pred/3.png")
    table = open_table(tmp_path)
    rows = [(row["label"], row["split"], row["id"]) for row in table.each(["label", "split", "id"])]
    assert rows == [("dog", "test", "seg_test/seg_test/dog/deep/2"), ("cat", "train", "seg_train/seg_train/cat/1")]
    assert table.notes == (
        "splits by their folders' names: 'seg_test' is test, 'seg_train' is train",
        "left out 1 files of 'seg_pred' that are in no class folder",
    )


def test_a_folder_that_holds_all_others_is_no_class(tmp_path: Path) -> None:
    touch(tmp_path, *(f"pets/v1/{name}" for name in (*SPLITS, "README.md")))
    table = open_table(tmp_path)
    assert [(row["label"], row["split"]) for row in table.each(["label", "split"])] == ROWS
    assert table.column("image")[0] == "pets/v1/test/cat/3.png"
    assert table.notes == (
        "'pets/v1' is read, because it holds all class folders",
        "left out 1 files beside the class folders, such as 'pets/v1/README.md'",
    )


def test_a_split_name_without_class_folders_is_a_class(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.png", "bus/2.png", "car/3.png")
    assert open_table(tmp_path).column("label") == ["bus", "car", "train"]


@pytest.mark.parametrize(
    "files",
    [
        [*SPLITS, "fold1/cat/4.png"],
        ["train/cat/1.png", "unlabeled/2.png"],
        ["train/1.png", "test/2.png", "bus/3.png"],
        ["fold1/1.png", "fold2/2.png"],
    ],
)
def test_folders_that_may_be_splits_or_classes_are_asked_about(tmp_path: Path, files: list[str]) -> None:
    touch(tmp_path, *files)
    with pytest.raises(TableError, match="are they splits or classes"):
        open_table(tmp_path)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "cat/1.png", "dog/2.png")

    def scandir(path: str, scan: Callable[[str], object] = os.scandir) -> object:
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(TableError, match=r"cannot list .*dog' \(Permission denied\)"):
        open_table(tmp_path)


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
