"""Keeps the machine code of CPU kernels on disk."""

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
# numba checks only a kernel's own file to see whether its machine code is out of date. As kernels inline functions from
# other files, the name under which machine code is kept includes a digest of all files.
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(OPS.rglob("numba*.py")))).hexdigest()[:12]


class PatientCache(FunctionCache):
    """Machine code on disk, recompiled if it is damaged, and kept in memory only if the disk cannot be used.

    numba's own cache raises the system's error: a folder that was writable on import but is not when a kernel is first
    called (mounted read-only, full, deleted) would end the call. It also recompiles when a source file has another time
    stamp or path; here the content counts, so that installations and checkouts of the same code share the machine code
    in NUMBA_CACHE_DIR.
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
        """The machine code for these arguments; None if there is none or it cannot be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)
        except Exception:  # pickle and numba may raise anything on damaged bytes
            self.start_anew()
        return None

    def save_overload(self, sig: object, data: object) -> None:
        """Save machine code, if possible."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)
        except (EOFError, pickle.UnpicklingError, ValueError, KeyError, AttributeError, IndexError):
            self.start_anew()  # it reads the index first
            with contextlib.suppress(OSError):
                super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    def start_anew(self) -> None:
        """Replace an index that cannot be read, or whose machine code cannot be read, by an empty one."""
        try:
            self.flush()  # type: ignore[no-untyped-call]
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Stop using the disk for this kernel; warn once per process."""
        self.disable()  # type: ignore[no-untyped-call]
        if not PatientCache.warned:
            PatientCache.warned = True
            warnings.warn(
                "machine code of CPU kernels is kept in memory only, and the next process compiles again: "
                f"{self.cache_path} cannot be used ({type(error).__name__}: {error}). NUMBA_CACHE_DIR sets the folder",
                RuntimeWarning,
                stacklevel=2,
            )
