"""What every test runs under: the types and shapes that annotations promise are checked at run time."""

from pathlib import Path

import jaxtyping
import pytest
import torch

from tests.shape_checks import checked

PACKAGE = Path(__file__).parents[1] / "gnnfuse"
# Kernels, custom operators and what torch.compile traces: the hook breaks them.
UNCHECKED = ("gnnfuse.ops.attention.", "gnnfuse.ops.segment.")


def _checked_modules() -> list[str]:
    files = sorted(path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    names = [".".join(path.with_suffix("").parts) for path in files]
    return [name for name in names if not name.startswith(UNCHECKED)]


jaxtyping.install_import_hook(
    _checked_modules(), f"{checked.__module__}.{checked.__name__}"
)  # before anything imports the package

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other, forty times as long on a busy machine


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns the check off, for tests of what the package itself says about arguments of wrong types."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
