"""A tokenizer as its saved files, so that a saved model includes its own."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gnnfuse.nodes.pretrained.transformers_library import read_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BINARY = ".base64"
SETTINGS = "tokenizer_config.json"
OF_THE_PLACE = ("is_local", "local_files_only", "name_or_path")  # the path it was read from is irrelevant


@dataclass(frozen=True)
class TokenizerFiles:
    """A transformers tokenizer, kept as names and contents of its files.

    Args:
        files: pairs of a file's name and its text; binary files are base64, with ".base64" added to the name.

    Raises:
        ValueError: a name that is not a plain file name.
    """

    files: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        for name, _ in self.files:
            if Path(name).name != name:
                raise ValueError(f"found {name!r} among a tokenizer's files, expected a file name without a folder")

    def __repr__(self) -> str:
        return f"TokenizerFiles({', '.join(name for name, _ in self.files)})"

    @staticmethod
    def of(tokenizer: "PreTrainedTokenizerBase | str", *, revision: str | None = None) -> "TokenizerFiles":
        """The files of a tokenizer, given as an object, a folder or a name on the hub.

        Raises:
            FileNotFoundError: it is not available locally and cannot be fetched; the message has the command for it.
        """
        if isinstance(tokenizer, str):
            return TokenizerFiles.of(read_tokenizer(tokenizer, revision))
        with TemporaryDirectory() as folder:
            tokenizer.save_pretrained(folder)
            return TokenizerFiles(tuple(_packed(path) for path in sorted(Path(folder).iterdir())))

    def tokenizer(self) -> Any:  # transformers ships no types
        """The tokenizer; made once per process."""
        return _load(self)


def _packed(path: Path) -> tuple[str, str]:
    content = path.read_bytes()
    if path.name == SETTINGS:
        settings = {name: value for name, value in json.loads(content).items() if name not in OF_THE_PLACE}
        return path.name, json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False)
    try:
        return path.name, content.decode()
    except UnicodeDecodeError:
        return path.name + BINARY, base64.b64encode(content).decode()


@cache
def _load(files: TokenizerFiles) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    with TemporaryDirectory() as folder:
        for name, text in files.files:
            content = base64.b64decode(text) if name.endswith(BINARY) else text.encode()
            (Path(folder) / name.removesuffix(BINARY)).write_bytes(content)
        names = ", ".join(name for name, _ in files.files)
        try:
            made = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # a class that needs other files, or that is no tokenizer
            raise ValueError(f"found no tokenizer in its files ({names}): {type(error).__name__}: {error}") from error
    if not isinstance(made, PreTrainedTokenizerBase):
        raise ValueError(f"found a {type(made).__name__} in a tokenizer's files ({names}), expected a tokenizer")
    return made
