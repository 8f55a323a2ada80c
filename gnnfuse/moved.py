"""Names that moved to another folder: importing one from its old folder raises an error that names the new one."""

from collections.abc import Callable, Mapping


def moved(folder: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a folder from which names have moved.

    Args:
        folder: its dotted name.
        places: new folder -> the names that moved there, separated by spaces.

    Example:
        >>> moved("gnnfuse.data", {"gnnfuse.tables": "Table open_table"})("open_table")
        Traceback (most recent call last):
        ...
        ImportError: gnnfuse.data has no 'open_table' any more: from gnnfuse.tables import open_table
    """
    home = {name: place for place, names in places.items() for name in names.split()}

    def missing(name: str) -> object:
        if name in home:  # not AttributeError, which Python's import replaces by its own message
            raise ImportError(f"{folder} has no {name!r} any more: from {home[name]} import {name}")
        raise AttributeError(f"module {folder!r} has no attribute {name!r}")

    return missing
