"""A folder that datasets reads is all that is read: no other folder, no link, no network."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from gnnfuse.tables import TableError, open_table

ROWS = {"text": ["a", "b"], "label": ["x", "y"]}
SECRET = {"text": ["secret"], "label": ["z"]}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **options: object) -> None:
        raise AssertionError(f"connects to {given}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tables, and a third outside of their folder."""
    for name, rows in {"data/train.csv": ROWS, "data/test.csv": ROWS, "secret/a.csv": SECRET}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(map(",".join, [rows.keys(), *zip(*rows.values(), strict=True)])))
    return tmp_path / "data"


def card(folder: Path, config: str) -> None:
    config = config.replace("SECRET", str(folder.parent / "secret"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  {config}\n---\n")


def test_a_card_that_names_files_of_its_folder_is_followed(folder: Path) -> None:
    card(folder, "data_files: train.csv")
    for streaming in (False, True):
        table = open_table(folder, cache=folder.parent / "cache", streaming=streaming)
        assert [row["text"] for row in table.each(["text"])] == ["a", "b"]


@pytest.mark.parametrize(
    "config",
    [
        "data_files: SECRET/a.csv",
        "data_files: [{split: train, path: ../secret/a.csv}]",
        "data_files: [{split: train, path: ['x/../../secret/*.csv']}]",
        "data_files: https://example.org/a.csv",
        "data_files: 'simplecache::https://example.org/a.csv'",
        "data_files: hf://datasets/squad/a.csv",
        "data_dir: ../secret",
        "data_dir: SECRET",
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_card_that_leads_out_is_refused(folder: Path, config: str, streaming: bool) -> None:
    card(folder, config)
    with pytest.raises(TableError, match=r"README\.md names .*allow_outside"):
        open_table(folder, cache=folder.parent / "cache", streaming=streaming)


def test_files_outside_may_be_allowed(folder: Path) -> None:
    card(folder, "data_files: SECRET/a.csv")
    assert open_table(folder, cache=folder.parent / "cache", allow_outside=True).column("text") == ["secret"]


def _link_alone(folder: Path) -> None:
    (folder / "test.csv").unlink()
    _link(folder, "train.csv")


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _link(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(folder.parent / "secret" / "a.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: _link(folder, "test.csv"), "expected names within the folder; allow_outside"),
        (_link_alone, "leads out of the folder"),
        (lambda folder: _link(folder, "README.md"), "expected names within the folder"),
        (lambda folder: os.mkfifo(folder / "README.md"), "a pipe, device or folder"),
        (lambda folder: os.mkfifo(folder / ".huggingface.yaml"), "a pipe, device or folder"),
        (
            lambda folder: (folder / ".huggingface.yaml").write_text(
                "configs: [{config_name: a, data_dir: ../secret}]"
            ),
            "huggingface.yaml names",
        ),
        (lambda folder: card(folder, "data_files: [[a.csv]]"), "datasets cannot load it"),
        (lambda folder: card(folder, "data_files: [{split: train, path: [3]}]"), "something other than texts"),
    ],
)
def test_links_pipes_and_cards_that_are_none_are_refused(
    folder: Path, change: Callable[[Path], object], message: str
) -> None:
    change(folder)
    with pytest.raises(TableError, match=message):
        open_table(folder, cache=folder.parent / "cache")


def _written(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _linked(path: Path, to: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(to)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved, arrow: _written(saved / "dataset_dict.json", {"splits": ["../outer"]}), "names '../outer'"),
        (lambda saved, arrow: _written(saved / "dataset_dict.json", {"splits": [str(arrow.parent)]}), "names '/"),
        (lambda saved, arrow: _written(saved / "dataset_dict.json", {"splits": ["none"]}), "found no file there"),
        (lambda saved, arrow: _written(saved / "dataset_dict.json", [1]), "expected a JSON object"),
        (
            lambda saved, arrow: _written(saved / "train/state.json", {"_data_files": [{"filename": str(arrow)}]}),
            "state.json names '/",
        ),
        (lambda saved, arrow: _linked(saved / "train" / arrow.name, arrow), "expected names within the folder"),
        (lambda saved, arrow: _linked(saved / "train", arrow.parent), "expected names within the folder"),
        (
            lambda saved, arrow: _pipe(saved / "train" / arrow.name),
            "a pipe, device or folder",
        ),
    ],
)
def test_a_saved_data_set_that_leads_out_is_refused(
    tmp_path: Path, change: Callable[[Path, Path], object], message: str
) -> None:
    part = datasets.Dataset.from_dict(ROWS)
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(str(tmp_path / "saved"))
    datasets.Dataset.from_dict(SECRET).save_to_disk(str(tmp_path / "outer"))
    assert open_table(tmp_path / "saved").column("text") == ["a", "b", "a", "b"]
    change(tmp_path / "saved", next((tmp_path / "outer").glob("*.arrow")))
    with pytest.raises(TableError, match=message):
        open_table(tmp_path / "saved")


def test_a_folder_may_be_called_as_a_reader_of_datasets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.parent / "csv")
    monkeypatch.chdir(folder.parent)
    assert open_table("csv", cache=folder.parent / "cache").column("text") == ["a", "b", "a", "b"]
