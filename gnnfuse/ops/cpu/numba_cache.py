"""Machine code of CPU kernels on disk."""

import contextlib
import hashlib
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

OPS = Path(__file__).parents[1]
# numba checks only a kernel's own file to see whether its machine code is out of date. As kernels call parts from other
# files, a digest of all of them is part of the name under which the machine code is kept.
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(OPS.rglob("numba*.py")))).hexdigest()[:12]


class PatientCache(FunctionCache):
    """Machine code on disk, compiled again where it is damaged, and in memory only where the disk cannot be used.

    numba's cache raises the system's error: a folder that was writable at the import and is not when a kernel is first
    called (mounted read-only meanwhile, full, gone) would end the call. It also recompiles when a source file has
    another time stamp or path; here the content counts, so that installations and checkouts of the same code share the
    machine code in NUMBA_CACHE_DIR.
    """

    warned = False  # one disk, one warning

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        settings: Any = numba.config
        if settings.CACHE_DIR:
            self._cache_path = str(Path(settings.CACHE_DIR) / f"gnnfuse-{SOURCES}" / function.__module__)
            self._impl.locator._cache_path = self._cache_path
        digest = hashlib.sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()
        files: Any = IndexDataCacheFile
        self._cache_file = files(self._cache_path, self._impl.filename_base, source_stamp=digest)

    def load_overload(self, sig: object, target_context: object) -> Any:
        """The machine code for these arguments; None where there is none or it cannot be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)
        except Exception:  # whatever damaged bytes make pickle and numba raise
            self.start_anew()
        return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep machine code, if it can be kept."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)
        except (EOFError, pickle.UnpicklingError, ValueError, KeyError, AttributeError, IndexError):
            self.start_anew()  # it reads the index first
            with contextlib.suppress(OSError):
                super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    def start_anew(self) -> None:
        """Write an empty index over one that cannot be read or that leads to machine code that cannot."""
        try:
            self.flush()  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Warn once per process; this kernel leaves the disk alone from now on."""
        self.disable()  # type: ignore[no-untyped-call]
        if not PatientCache.warned:
            PatientCache.warned = True
            warnings.warn(
                "machine code of CPU kernels is kept in memory only, and the next process compiles again: "
                f"{self.cache_path} cannot be used ({type(error).__name__}: {error}). NUMBA_CACHE_DIR names a folder",
                RuntimeWarning,
                stacklevel=2,
            )
