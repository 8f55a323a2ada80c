"""The folders that are kept between runs: whether they can be written to, and their free space."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gnnfuse.diagnosis.report import Finding, guarded, said

GIB = 2**30
LITTLE = 2 * GIB


def folders(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding per folder."""
    yield guarded("machine code", lambda: _folder("machine code", numba_folder(), "NUMBA_CACHE_DIR"))
    yield guarded("datasets", lambda: _folder("datasets", _datasets_folder(), "HF_DATASETS_CACHE"))
    yield from named_folders(tell)


def named_folders(tell: Callable[[str], None]) -> Iterator[Finding]:
    """One finding per folder whose path is known without importing the library that uses it."""
    tell("checking folders")
    yield guarded("hub", lambda: _folder("hub", _hub_folder(), "HF_HUB_CACHE"))
    yield guarded("tables", lambda: _folder("tables", _tables_folder(), "XDG_CACHE_HOME"))
    yield guarded("temporary files", lambda: _folder("temporary files", Path(tempfile.gettempdir()), "TMPDIR"))
    yield guarded("working folder", lambda: _folder("working folder", Path.cwd(), None))


def numba_folder() -> Path | None:
    """The folder for the machine code of CPU kernels; None if it is not kept."""
    from gnnfuse.ops.neighbor_sum import numba_kernels

    kernel = next(found for found in vars(numba_kernels).values() if hasattr(found, "_cache"))
    path = kernel._cache.cache_path
    return None if path is None else Path(path)


def _hub_folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _datasets_folder() -> Path:
    from datasets import config

    return Path(config.HF_DATASETS_CACHE)


def _tables_folder() -> Path:
    from gnnfuse.tables.arrow_cache import default_cache

    return default_cache()


def _folder(name: str, path: Path | None, variable: str | None) -> Finding:
    other = f"export {variable}=FOLDER  (a writable one)" if variable else "change to a folder that you own"
    if path is None:
        return Finding(name, "note", "found no folder to write to: kernels are compiled in every process", other)
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    details = {"path": str(path), "exists": path.exists(), "free_bytes": free}
    refusal = _refusal(there)
    if refusal:
        return Finding(name, "note", f"{path}: cannot be written to ({refusal})", other, details)
    text = f"{path}, {free / GIB:.0f} GiB free" + ("" if path.exists() else ", created when needed")
    if free < LITTLE:
        return Finding(name, "note", text, f"free some space, or {other}", details)
    return Finding(name, "ok", text, details=details)


def _refusal(folder: Path) -> str:
    """Why nothing can be written there; empty if it can. A file is written: permissions do not show read-only disks."""
    try:
        handle, file = tempfile.mkstemp(prefix=".gnnfuse-doctor-", dir=folder)
        os.close(handle)
        os.unlink(file)
    except OSError as error:
        return said(error)
    return ""
