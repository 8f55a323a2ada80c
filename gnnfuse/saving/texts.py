"""Long texts of a configuration, such as a tokenizer's files, as separate files named by content."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from gnnfuse.saving.describe import Json

LONG = 1024  # characters; longer texts do not belong in a file that people read
LONGEST = 256 * 2**20  # bytes; ten times the largest tokenizers
FOLDER = "texts"
NAME = re.compile(r"[0-9a-f]{64}\.txt")  # no argument that happens to be called "text" looks like this


def move_texts_out(described: Json, folder: Path) -> Json:
    """The description with long texts replaced by `{"text": name}`, and each written into `folder / "texts"`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     moved = move_texts_out({"files": ["short", "long" * 2000]}, Path(name))
        ...     read_texts(moved, Path(name)) == {"files": ["short", "long" * 2000]}
        True
    """

    def move(value: Json) -> Json:
        if not isinstance(value, str) or len(value) <= LONG:
            return value
        content = value.encode()
        if len(content) > LONGEST:
            raise ValueError(f"found a text of {len(content):,} bytes to save, expected at most {LONGEST:,}")
        name = f"{hashlib.sha256(content).hexdigest()}.txt"
        (folder / FOLDER).mkdir(exist_ok=True)
        (folder / FOLDER / name).write_bytes(content)
        return {"text": name}

    return _each(described, move)


def read_texts(described: Json, folder: Path) -> Json:
    """The description with its long texts restored.

    Raises:
        FileNotFoundError: a text is missing.
        ValueError: a text is not the saved one, or is far too long.
    """

    def read(value: Json) -> Json:
        match value:
            case {"text": str() as name, **rest} if not rest and NAME.fullmatch(name):
                return _read(folder / FOLDER / name)
        return value

    return _each(described, read)


def text_files(described: Json) -> list[str]:
    """The files that a description needs, as paths within its folder.

    Example:
        >>> text_files([{"text": "0" * 64 + ".txt"}, "short"])[0][:10]
        'texts/0000'
    """
    names: list[str] = []

    def note(value: Json) -> Json:
        match value:
            case {"text": str() as name, **rest} if not rest and NAME.fullmatch(name):
                names.append(f"{FOLDER}/{name}")
        return value

    _each(described, note)
    return names


def _read(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"found no {path.name} in {path.parent}, expected what save_pretrained wrote")
    if path.stat().st_size > LONGEST:
        raise ValueError(f"{path}: found {path.stat().st_size:,} bytes, expected at most {LONGEST:,}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise ValueError(f"{path}: its content is not what was saved: it does not have the SHA-256 in its name")
    return content.decode()


def _each(value: Json, change: Callable[[Json], Json]) -> Json:
    changed = change(value)
    match value:
        case dict() if changed is value:
            return {name: _each(item, change) for name, item in value.items()}
        case list() if changed is value:
            return [_each(item, change) for item in value]
    return changed
