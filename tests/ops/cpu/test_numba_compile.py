"""Machine code that cannot be kept on disk is kept in memory, with one warning."""

import errno
import importlib.util
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

numba_compile = pytest.importorskip("gnnfuse.ops.cpu.numba_compile")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where numba keeps machine code during the test."""
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba_compile.PatientCache, "warned", False)
    return tmp_path / "cache"


def kernel() -> Any:
    def twice(number: int) -> int:
        return 2 * number

    return numba_compile.compiled(twice)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_machine_code_is_kept_and_found_again(folder: Path) -> None:
    assert kernel()(3) == 6
    assert [path.suffix for path in files(folder)] == [".nbc", ".nbi"]
    again = kernel()
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1


SOURCE = """
from gnnfuse.ops.cpu.numba_compile import compiled

@compiled
def {name}(number):
    return {result}
"""


def imported(folder: Path, **parts: str) -> Any:
    folder.mkdir(exist_ok=True)
    file = folder / "kernels.py"
    file.write_text(SOURCE.format(**parts))
    spec = importlib.util.spec_from_file_location("kernels", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.twice


def test_the_same_source_in_another_folder_shares_machine_code_and_another_source_does_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python takes bytecode for current while a source of the same size is written in the same second.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = imported(tmp_path / "first", name="twice", result="2 * number")
    assert first(3) == 6
    second = imported(tmp_path / "second", name="twice", result="2 * number")
    assert second(3) == 6
    assert sum(second.stats.cache_hits.values()) == 1
    third = imported(tmp_path / "second", name="twice", result="3 * number")
    assert third(3) == 9
    assert sum(third.stats.cache_hits.values()) == 0


def test_a_folder_that_can_no_longer_be_used_is_one_warning(folder: Path) -> None:
    first, second = kernel(), kernel()
    shutil.rmtree(folder)
    folder.write_text("not a folder any more")
    with pytest.warns(RuntimeWarning, match="kept in memory only") as seen:
        results = first(3), second(3), first(3.5)
    assert results == (6, 6, 7.0)
    assert len(seen) == 1
    assert str(folder) in str(seen[0].message)


def test_a_full_disk_is_one_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import IndexDataCacheFile

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        assert kernel()(3) == 6


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("left", [0, 40])
def test_a_damaged_file_is_made_anew(folder: Path, ending: str, left: int) -> None:
    assert kernel()(3) == 6
    damaged = [path for path in files(folder) if path.suffix == ending]
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:left])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel()(3) == 6
        next_process = kernel()
        assert next_process(3) == 6
    assert sum(next_process.stats.cache_hits.values()) == 1


def test_without_a_folder_nothing_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel()(3) == 6
    assert not folder.exists()
