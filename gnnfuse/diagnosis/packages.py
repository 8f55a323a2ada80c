"""Versions of Python and the packages, whether they can be imported, and whether they fit each other."""

import platform
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version

from gnnfuse import __version__
from gnnfuse.diagnosis.report import Finding, said

# Distribution -> module, and the purpose of an optional one.
NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "numba": "numba",
    "torch-geometric": "torch_geometric",
    "transformers": "transformers",
    "lightning": "lightning",
    "torchmetrics": "torchmetrics",
    "datasets": "datasets",
    "huggingface-hub": "huggingface_hub",
    "safetensors": "safetensors",
    "soundfile": "soundfile",
    "pillow": "PIL",
    "networkx": "networkx",
    "scikit-learn": "sklearn",
    "matplotlib": "matplotlib",
}
OPTIONAL = {
    "triton": ("triton", "kernels on CUDA"),
    "torch-scatter": ("torch_scatter", "another implementation of segment operators"),
}
INSTALL = {"torch-scatter": "pip install --no-build-isolation torch-scatter==2.1.2  (needs a C++ compiler)"}


def packages(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding for gnnfuse, Python, and each package."""
    yield from _found(tell, imports=True)


def versions(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding for gnnfuse, Python, and each package, without importing packages."""
    yield from _found(tell, imports=False)


def _found(tell: Callable[[str], None], *, imports: bool) -> Iterator[Finding]:
    yield Finding("gnnfuse", "ok", __version__, details={"version": __version__})
    yield _python()
    for name, module in NEEDED.items():
        tell(f"looking at {name}")
        yield _package(name, module if imports else None, None)
    for name, (module, purpose) in OPTIONAL.items():
        tell(f"looking at {name}")
        yield _package(name, module if imports else None, purpose)


def _python() -> Finding:
    found = platform.python_version()
    wanted = _wanted_python()
    details = {"version": found, "system": platform.system(), "machine": platform.machine()}
    where = f"{found} on {platform.system()} {platform.machine()}"
    if wanted and not _fits(found, wanted):
        return Finding("python", "broken", where, f"use a Python of {wanted}", details)
    return Finding("python", "ok", where, details=details)


def _package(name: str, module: str | None, purpose: str | None) -> Finding:
    """The finding for one distribution; its module is imported if given."""
    wanted = _wanted(name)
    install = INSTALL.get(name, f'pip install "{name}{wanted}"')
    try:
        found = version(name)
    except PackageNotFoundError:
        if purpose is not None:
            return Finding(name, "note", f"not installed; optional: {purpose}", install)
        return Finding(name, "broken", "not installed", install)
    details = {"version": found, "wanted": wanted}
    try:
        if module is not None:
            import_module(module)
    except Exception as error:  # the loader of a broken binary may raise anything
        again = INSTALL.get(name, f'pip install --force-reinstall "{name}{wanted}"')
        status = "broken" if purpose is None else "note"
        return Finding(name, status, f"{found}, cannot be imported: {said(error)}", again, details)  # type: ignore[arg-type]
    if wanted and not _fits(found, wanted):
        return Finding(name, "broken", f"{found}, gnnfuse needs {wanted}", install, details)
    for other, needed in _needs(name):
        if other == "torch" and needed and not _fits(version("torch"), needed):
            text = f"{found}, made for torch{needed}; found torch {version('torch')}"
            return Finding(name, "broken", text, install, details)
    return Finding(name, "ok", found, details=details)


def _wanted(name: str) -> str:
    """The versions that gnnfuse's own metadata require; empty if they state none."""
    return next((needed for other, needed in _needs("gnnfuse") if other == name), "")


def _wanted_python() -> str:
    from importlib.metadata import metadata

    try:
        return str(metadata("gnnfuse")["Requires-Python"] or "")
    except PackageNotFoundError:
        return ""


def _needs(name: str) -> Iterator[tuple[str, str]]:
    """What a distribution requires without an extra: (name, versions)."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for line in lines:
        try:
            found = Requirement(line)
        except InvalidRequirement:
            continue
        if found.marker is None or found.marker.evaluate({"extra": ""}):
            yield found.name.lower().replace("_", "-"), str(found.specifier)


def _fits(found: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(found, prereleases=True)
