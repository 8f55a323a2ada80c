"""The folder that `fit` writes into: nothing that is read, or somebody else's, is replaced there."""

import os
from pathlib import Path

import pytest

from gnnfuse.data.rejects import write_rejects
from gnnfuse.encoders import Encoders
from gnnfuse.workflow.fit_folder import CHECKPOINTS, check_fit_folder, only_run

CSV = "text,label\n" + "a cat,cat\na dog,dog\n" * 10


def refused(folder: Path, table: object, *, encoders: Encoders | None = None, resume: bool = False) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        check_fit_folder(folder, table, encoders or Encoders(), resume=resume)
    return str(caught.value)


@pytest.mark.parametrize("name", ["rejects.csv", "table.json", "results.json", "config.json", "README.md"])
@pytest.mark.parametrize("resume", [False, True])
def test_the_table_in_a_place_that_is_written(name: str, resume: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CSV)
    assert f"{name}: found the table itself" in refused(tmp_path, tmp_path / name, resume=resume)
    os.link(tmp_path / name, tmp_path / "pets.csv")
    assert f"{name}: found the table itself" in refused(tmp_path, tmp_path / "pets.csv", resume=resume)


def test_an_encoder_and_its_weights(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    assert "found a file of an encoder itself" in refused(tmp_path, [], encoders=Encoders(text=str(tmp_path)))
    weights = Encoders(image="torchvision/resnet18", image_weights=str(tmp_path / "model.safetensors"))
    assert "model.safetensors: found a file of an encoder itself" in refused(tmp_path, [], encoders=weights)


@pytest.mark.parametrize("name", ["results.json", "report.md", "curves.png", "config.json", "model.safetensors"])
def test_files_of_somebody_else(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    assert f"found {name}, which would be replaced, and nothing that an earlier run wrote" in refused(tmp_path, [])


def test_a_run_that_was_killed_before_its_first_checkpoint_may_begin_again(tmp_path: Path) -> None:
    write_rejects(tmp_path / "rejects.csv", [])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "README.md").write_text("mine")  # a card of somebody else is kept
    check_fit_folder(tmp_path, [], Encoders(), resume=False)


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "found a file, expected a folder" in refused(tmp_path / "file", [])
    assert "Not a directory" in refused(tmp_path / "file" / "model", [])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / CHECKPOINTS).write_text("")
    assert "Not a directory" in refused(tmp_path / "out", [])


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with only_run(out):
        with pytest.raises(ValueError, match=r"out: another run is writing there"), only_run(out):
            pass  # pragma: no cover - refused
        assert (out / CHECKPOINTS).is_dir()
    assert not (tmp_path / "new").exists()  # nothing was written
    with only_run(out):
        (out / "rejects.csv").write_text("")
    assert sorted(path.name for path in out.iterdir()) == ["rejects.csv"]
