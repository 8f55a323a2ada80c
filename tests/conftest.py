"""What every test runs under: types and shapes are checked at run time; and what several test files share."""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import jaxtyping
import pytest
import torch

from tests.shape_checks import install

pytest_plugins = ["tests.processor_time", "tests.workers"]

Run = Callable[..., tuple[int, str, str]]
PACKAGE = Path(__file__).parents[1] / "gnnfuse"
# Machine code of kernels, kept between runs under versions and the content of sources.
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnnfuse-tests"
os.environ.setdefault("NUMBA_CACHE_DIR", str(KEPT / "numba"))
os.environ.setdefault("TRITON_CACHE_DIR", str(KEPT / "triton"))
# Several workers share the cores: one thread for each of them and their child processes, and none that spins. Tests of
# threads set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
UNCHECKED = ("gnnfuse.ops.",)  # kernels, custom operators and what torch.compile traces: the hook breaks them


def _checked_modules() -> list[str]:
    files = sorted(path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    names = [".".join(path.with_suffix("").parts) for path in files]
    return [name for name in names if not name.startswith(UNCHECKED)]


install(_checked_modules())  # before anything imports the package

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other, forty times as long on a busy machine


def pytest_collection_finish() -> None:
    """Keep modules and tests out of every later search for garbage."""
    gc.freeze()


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns the check off, for tests of what the package itself says about arguments of wrong types."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def folder_named(variable: str, what: str) -> Path:
    """The folder that an environment variable names; the test is skipped without it."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: no folder of {what}")
    return Path(folder)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that GNNFUSE_DATA names; tests that need it are skipped without it."""
    return folder_named("GNNFUSE_DATA", "real data")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of pretrained encoders that GNNFUSE_MODELS names; tests that need it are skipped without it."""
    return folder_named("GNNFUSE_MODELS", "pretrained encoders")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of `gnnfuse` in this process; its exit code, standard output and standard error."""
    from gnnfuse.cli import main

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gnnfuse", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return call
