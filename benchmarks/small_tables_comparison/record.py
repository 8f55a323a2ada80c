"""The JSON file of results, in which runs of the same code are found again."""

import hashlib
import json
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

from gnnfuse.sample.whole_file import write_whole

CLASSICAL = ("answers", "classical", "encoder_states", "export", "modalities", "raw_features", "rows", "tables")
ROOT = Path(__file__).parents[2]
EMPTY: dict[str, Any] = {"environment": {}, "classical": {}, "runs": [], "figures": {}}


def classical_code() -> str:
    """A name of the present content of the files that the classical columns depend on."""
    content = b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in CLASSICAL)
    return hashlib.sha256(content).hexdigest()[:12]


def code(folder: str) -> str:
    """A name of the present content of a folder: git's tree, and "+" with a hash of changes since the commit."""
    tree, changes = (git(*words) for words in (("rev-parse", f"HEAD:{folder}"), ("diff", "HEAD", "--", folder)))
    return tree.strip()[:12] + (f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout


class Record:
    """A file of results, read and written as a whole with each change: several processes may add in turns.

    Args:
        path: the file; created with the first result.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def content(self) -> dict[str, Any]:
        """All results."""
        kept: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        return deepcopy(EMPTY) | kept

    def keep(self, part: str, found: Any, *, name: str | None = None) -> None:
        """Add a run to a list, or set a part of the results or the entry `name` of a part."""
        content = self.content()
        if isinstance(content[part], list):
            content[part].append(found)
        elif name is None:
            content[part] = found
        else:
            content[part][name] = found
        write_whole(self.path, (json.dumps(content, indent=1) + "\n").encode())

    def classical(self, table: str, version: str) -> dict[str, Any] | None:
        """The classical columns of a table, if they were computed by this version of the code."""
        kept = self.content()["classical"].get(table)
        return kept["columns"] if kept is not None and kept["code"] == version else None

    def run(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """The run of this table, seed, options and version of the code."""
        runs = self.content()["runs"]
        return next((run for run in runs if all(run.get(name) == value for name, value in key.items())), None)
