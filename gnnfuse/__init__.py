"""gnnfuse: fuse images, audio, text and your own node types with graph neural networks.

Every public name and every folder can be reached from here; it is imported when it is first used. `__init__.pyi` lists
them.
"""

import ast as _ast
from importlib import import_module as _import_module
from pathlib import Path as _Path

__version__ = "0.1.0"

_LISTED = _ast.parse(_Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
_HOME = {name.name: line.module for line in _LISTED if isinstance(line, _ast.ImportFrom) for name in line.names}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        # With name and obj Python suggests the nearest name of `dir`.
        raise AttributeError(f"module 'gnnfuse' has no attribute {name!r}", name=name, obj=_import_module("gnnfuse"))
    if home == "gnnfuse":
        return _import_module(f"gnnfuse.{name}")
    return getattr(_import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
