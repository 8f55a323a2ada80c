"""The doctor reports what is broken instead of breaking, and says what to do about it."""

import builtins
import errno
import importlib
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import gnnfuse
from gnnfuse.diagnosis import Diagnosis, Finding, Section
from gnnfuse.diagnosis import devices as devices_file
from gnnfuse.diagnosis import kernels as kernels_file
from gnnfuse.diagnosis import media as media_file
from gnnfuse.diagnosis import network as network_file
from gnnfuse.diagnosis import packages as packages_file
from gnnfuse.diagnosis.doctor import QUICK_SECTIONS, SECTIONS, _findings
from gnnfuse.diagnosis.folders import folders
from gnnfuse.ops.choose import INSTALLED
from tests.told import Told


def quiet(_: str) -> None:
    pass


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {found.name: found for found in findings}


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    """Of this machine, without the hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.setattr(kernels_file, "NODES", 40)
        return gnnfuse.doctor()


def test_every_section_is_there_and_this_machine_is_healthy(diagnosis: Diagnosis) -> None:
    assert [section.title for section in diagnosis.sections] == list(SECTIONS)
    assert all(section.findings for section in diagnosis.sections)
    assert diagnosis.healthy, diagnosis.broken
    told = {found.name for section in diagnosis.sections for found in section.findings}
    assert {"python", "torch", "torchvision", "torch-scatter", "processor", "memory", "threads"} <= told
    assert {"pictures", "recordings", "machine code", "datasets"} <= told
    assert "graph_attention on cpu, reference" in told


def test_the_report_prints_itself_and_is_json(diagnosis: Diagnosis) -> None:
    printed = str(diagnosis)
    assert repr(diagnosis) == printed
    written = json.loads(json.dumps(diagnosis.as_json(), allow_nan=False))
    assert written["healthy"] is True
    for section in written["sections"]:
        assert section["title"] in printed.splitlines()
        for found in section["findings"]:
            line = next(
                line for line in printed.splitlines() if f"  {found['name']} " in line and found["text"] in line
            )
            assert line.split()[0] == found["status"]
            assert not found["advice"] or f"-> {found['advice']}" in printed


def test_what_is_broken_stands_in_the_last_line() -> None:
    broken = (Finding("torch", "broken", "gone", "pip install torch"), Finding("numba", "broken", "gone"))
    found = Diagnosis((Section("Versions", broken), Section("Media", (Finding("pictures", "note", "few"),))))
    assert not found.healthy
    assert str(found).splitlines()[-1] == "2 of 3 are broken: torch, numba."
    assert "-> pip install torch" in str(found)


@pytest.fixture
def unimportable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """Makes the import of a module raise."""

    def break_it(module: str, error: Exception) -> None:
        load = builtins.__import__
        import_module = importlib.import_module

        def refuse(name: str, *rest: Any, **options: Any) -> Any:
            if name.split(".")[0] == module:
                raise error
            return load(name, *rest, **options)

        def refuse_module(name: str) -> Any:
            if name == module:
                raise error
            return import_module(name)

        monkeypatch.setattr(builtins, "__import__", refuse)
        monkeypatch.setattr(packages_file, "import_module", refuse_module)

    return break_it


@pytest.mark.parametrize(
    ("module", "name", "error", "status", "advice"),
    [
        ("torchaudio", "torchaudio", OSError("undefined symbol: _ZN3c10"), "broken", "pip install --force-reinstall"),
        ("torch_scatter", "torch-scatter", OSError("undefined symbol: _ZN5torch"), "note", "--no-build-isolation"),
        ("datasets", "datasets", AttributeError("module 'pyarrow'\nhas no"), "broken", "pip install --force-reinstall"),
    ],
)
def test_a_broken_import_is_a_finding(
    module: str,
    name: str,
    error: Exception,
    status: str,
    advice: str,
    unimportable: Callable[[str, Exception], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = importlib.metadata.version
    scatter = "2.1.2"  # an extra, which need not be installed
    monkeypatch.setattr(packages_file, "version", lambda each: scatter if each == "torch-scatter" else version(each))
    unimportable(module, error)
    found = by_name(packages_file.packages(quiet))
    assert found[name].status == status
    assert f"cannot be imported: {type(error).__name__}" in found[name].text
    assert "\n" not in found[name].text
    assert advice in found[name].advice
    assert [other for other, each in found.items() if each.status == "broken" and other != name] == []


def test_missing_and_unfitting_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    version, requires = importlib.metadata.version, importlib.metadata.requires

    def other_version(name: str) -> str:
        if name in ("lightning", "torch-scatter"):
            raise importlib.metadata.PackageNotFoundError(name)
        return {"torchvision": "0.30.0", "torchaudio": "2.11.0"}.get(name) or version(name)

    def other_needs(name: str) -> list[str] | None:
        own = ["torchvision<0.27,>=0.26", "lightning<3,>=2.6", "torch-scatter==2.1.2; extra == 'scatter'"]
        return {"gnnfuse": own, "torchaudio": ["torch==2.4.0"]}.get(name) or requires(name)

    monkeypatch.setattr(packages_file, "version", other_version)
    monkeypatch.setattr(packages_file, "requires", other_needs)
    found = by_name(packages_file.packages(quiet))
    assert (found["lightning"].status, found["lightning"].text) == ("broken", "not installed")
    assert found["lightning"].advice == 'pip install "lightning<3,>=2.6"'
    assert (found["torchvision"].status, found["torchvision"].text) == ("broken", "0.30.0, gnnfuse needs <0.27,>=0.26")
    assert found["torchaudio"].status == "broken"
    assert "made for torch==2.4.0; found torch 2.11" in found["torchaudio"].text
    assert found["torch-scatter"].status == "note"
    assert "pip install --no-build-isolation torch-scatter" in found["torch-scatter"].advice


def test_a_section_that_cannot_be_looked_at_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(tell: Callable[[str], None]) -> Iterator[Finding]:
        yield Finding("first", "ok", "there")
        raise OSError("no more")

    monkeypatch.setattr(media_file, "media", half)
    found = _findings("media:media", quiet)
    assert [each.name for each in found] == ["first", "media"]
    assert (found[1].status, found[1].text) == ("broken", "OSError: no more")
    monkeypatch.setitem(sys.modules, "gnnfuse.diagnosis.kernels", None)
    assert [each.status for each in _findings("kernels:kernels", quiet)] == ["broken"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kernels_file, "NODES", 10)
    kernels_file.inputs.cache_clear()
    yield
    kernels_file.inputs.cache_clear()


@pytest.mark.usefixtures("small")
def test_a_kernel_that_gives_something_else_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(given: kernels_file.Inputs, impl: str) -> torch.Tensor:
        found = kernels_file.mean(given, impl)
        return found * (1 + 1e-5) if impl == "numba" else found

    monkeypatch.setattr(kernels_file, "OPERATORS", {"neighbor_sum": (wrong, ("numba",))})
    found = by_name(kernels_file.kernels(quiet))["neighbor_sum on cpu, numba"]
    assert found.status == "broken"
    assert found.text.startswith("its output is off by ")


@pytest.mark.usefixtures("small")
def test_a_kernel_that_raises_or_is_missing_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(given: kernels_file.Inputs, impl: str) -> torch.Tensor:
        if impl != "reference":
            raise RuntimeError("LLVM\nERROR")
        return given.values.sum(0)

    monkeypatch.setattr(kernels_file, "OPERATORS", {"some": (raising, ("numba", "torch_scatter", "dense"))})
    monkeypatch.setitem(INSTALLED, "torch_scatter", False)
    found = by_name(kernels_file.kernels(quiet))
    assert (found["some on cpu, numba"].status, found["some on cpu, numba"].text) == (
        "broken",
        "RuntimeError: LLVM ERROR",
    )
    assert found["some on cpu, numba"].advice == "pip install numba"
    assert found["some on cpu, torch_scatter"].status == "note"
    assert "--no-build-isolation" in found["some on cpu, torch_scatter"].advice
    assert found["some on cpu, dense"].status == "broken"


def test_a_format_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*kinds: str) -> Callable[[str], None]:
        def read(kind: str) -> None:
            if kind in kinds:
                raise OSError(f"encoder {kind.lower()} not available")

        return read

    monkeypatch.setattr(media_file, "_picture", without("WEBP"))
    monkeypatch.setattr(media_file, "_recording", without("FLAC"))
    found = by_name(media_file.media(quiet))
    assert (found["pictures"].status, found["recordings"].status) == ("note", "broken")
    assert found["pictures"].text.endswith("; not WEBP")
    assert found["recordings"].details["read"] == ["WAV", "OGG", "MP3"]

    def gone() -> str:
        raise OSError("sndfile library not found")

    monkeypatch.setattr(media_file, "_sndfile", gone)
    found = by_name(media_file.media(quiet))
    assert found["recordings"].text == "OSError: sndfile library not found"
    assert found["recordings"].advice == 'pip install "soundfile"'


def test_folders_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make: Callable[..., tuple[int, str]] = tempfile.mkstemp

    def read_only(*rest: Any, dir: Path, **options: Any) -> tuple[int, str]:
        if dir == tmp_path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return make(*rest, dir=dir, **options)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    found = by_name(folders(quiet))
    assert found["hub"].status == "note"
    assert "cannot be written to (OSError: [Errno 30] Read-only file system)" in found["hub"].text
    assert found["hub"].advice.startswith("export HF_HUB_CACHE=FOLDER")
    assert found["datasets"].status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_the_hub_is_asked_without_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    (found,) = network_file.network(quiet)
    assert found.status == "note"
    assert "cannot be reached (URLError" in found.text
    monkeypatch.setattr(network_file, "SECONDS", -0.9)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: time.sleep(60))
    (found,) = network_file.network(quiet)
    assert "cannot be reached (no answer" in found.text
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(network_file, "_asked", lambda address: pytest.fail("asked although offline"))
    (found,) = network_file.network(quiet)
    assert found.text.startswith("offline mode is set")


def test_threads_that_do_not_come_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_file, "openmp_team", lambda: lambda function, threads: None)
    found = by_name(devices_file.devices(quiet))
    assert (found["threads"].status, found["threads"].text) == ("broken", "requested 1 OpenMP threads, got 0")
    monkeypatch.setattr(devices_file, "openmp_team", lambda: None)
    assert by_name(devices_file.devices(quiet))["threads"].status == "note"


def test_a_driver_that_does_not_fit_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> bool:
        import warnings

        warnings.warn("The NVIDIA driver on your system is too old\n(found version 11040)", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    found = by_name(devices_file.devices(quiet))["cuda"]
    assert found.status == "broken"
    assert "driver on your system is too old (found version 11040)" in found.text


def test_it_tells_what_it_does() -> None:
    told: list[str] = []
    for _ in media_file.media(told.append):
        pass
    assert told == ["reading pictures and recordings"]


def test_an_observer_receives_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(QUICK_SECTIONS, "Versions")
    observer = Told()
    found = gnnfuse.doctor(quick=True, observer=observer)
    assert observer.counted == {"checking": len(found.sections)} == {"checking": 2}
    assert observer.notes == ["looking for devices", "checking folders"]
