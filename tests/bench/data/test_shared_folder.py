from pathlib import Path

import pytest

from gnnfuse.bench.data.shared_folder import DataError, open_folder

ADVICE = "pass --data DIR or set GNNFUSE_DATA to a folder that holds toy/a.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with a file "a.csv" of two bytes; its sum was made with sha256sum."""
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "a.csv").write_text("a\n")
    (folder / "SHA256SUMS").write_text("87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  a.csv\n")
    return tmp_path


def test_a_whole_folder_opens(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_folder("toy", ["a.csv"], root=root) == root / "toy"
    monkeypatch.setenv("GNNFUSE_DATA", str(root))
    assert open_folder("toy", ["a.csv"]) == root / "toy"


def test_the_argument_goes_before_the_variable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNNFUSE_DATA", "nowhere")
    assert open_folder("toy", ["a.csv"], root=root) == root / "toy"


def message(root: Path | None) -> str:
    with pytest.raises(DataError) as caught:
        open_folder("toy", ["a.csv"], root=root)
    return str(caught.value)


def test_no_folder_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GNNFUSE_DATA", raising=False)
    assert message(None) == f"toy: no data folder is given; {ADVICE}"


def test_no_such_data_set(tmp_path: Path) -> None:
    assert message(tmp_path) == f"toy: found no folder {tmp_path / 'toy'}; {ADVICE}"


def test_a_missing_file(root: Path) -> None:
    (root / "toy/a.csv").unlink()
    assert message(root) == f"toy: found no file {root / 'toy/a.csv'}; {ADVICE}"


def test_an_altered_file(root: Path) -> None:
    (root / "toy/a.csv").write_text("b\n")
    found = message(root)
    assert f"{root / 'toy/a.csv'} is altered: found sha256 0263829989b6fd95" in found
    assert "expected 87428fc522803d31" in found
    assert found.endswith(ADVICE)


def test_no_sums_or_no_line(root: Path) -> None:
    (root / "toy/SHA256SUMS").write_text("87428fc5  other.csv\n")
    assert "SHA256SUMS has no line for a.csv" in message(root)
    (root / "toy/SHA256SUMS").unlink()
    assert "SHA256SUMS, which lists the checksums of the files" in message(root)
