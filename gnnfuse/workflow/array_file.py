"""Writing vectors to a .npy file, row by row and atomically."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float32

from gnnfuse.sample.whole_file import replacing


@contextmanager
def writing_array(path: Path, dim: int) -> "Iterator[Callable[[Float32[np.ndarray, 'dim']], None]]":
    """Gives a function that writes one row of a float32 array `[rows, dim]`; the file appears when all are written.

    The header holds the number of rows, so it is rewritten at the end: numpy leaves room for larger numbers.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with writing_array(Path(folder) / "a.npy", 2) as add:
        ...         add(np.array([1, 2], dtype=np.float32))
        ...     np.load(Path(folder) / "a.npy").tolist()
        [[1.0, 2.0]]
    """
    rows = 0
    with replacing(path) as partial, partial.open("wb") as file:
        _write_header(file, rows, dim)
        start = file.tell()

        def add(row: "Float32[np.ndarray, 'dim']") -> None:
            nonlocal rows
            file.write(row.astype("<f4", copy=False).tobytes())
            rows += 1

        yield add
        file.seek(0)
        _write_header(file, rows, dim)
        assert file.tell() == start, (file.tell(), start)


def _write_header(file: IO[bytes], rows: int, dim: int) -> None:
    described = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, described)  # type: ignore[no-untyped-call, unused-ignore]
