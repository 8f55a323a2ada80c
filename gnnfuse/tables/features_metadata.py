"""Reads what Hugging Face datasets writes into an Arrow schema: which columns are media, and the names of classes."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = {"Image": "image", "Audio": "audio", "ClassLabel": "label"}


def kinds_in(schema: "pa.Schema") -> dict[str, str]:
    """Column -> "image", "audio" or "label" (also for lists of class labels), as the schema declares it."""
    found = {name: KINDS.get(str(entry.get("_type"))) for name, entry in _features(schema).items()}
    found |= dict.fromkeys(class_names_in(schema), "label")
    known = set(schema.names)
    return {name: kind for name, kind in found.items() if kind is not None and name in known}


def class_names_in(schema: "pa.Schema") -> dict[str, tuple[str, ...]]:
    """Column -> the class names that its numbers, or the numbers in its lists, stand for."""
    labels = {name: _listed(entry) or entry for name, entry in _features(schema).items()}
    return {
        name: tuple(map(str, entry["names"]))
        for name, entry in labels.items()
        if entry.get("_type") == "ClassLabel" and isinstance(entry.get("names"), list)
    }


def _listed(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The element type of a column of lists (`Sequence`, `List` or `LargeList`); None for other columns."""
    inner = entry.get("feature")
    return inner if isinstance(inner, dict) else None


def _features(schema: "pa.Schema") -> Mapping[str, Mapping[str, Any]]:
    written = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(written)["info"]["features"] if written else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        features = {}
    if not isinstance(features, dict):
        return {}
    entries = {  # older versions write a list of features as a list of one feature
        name: {"feature": entry[0]} if isinstance(entry, list) and len(entry) == 1 else entry
        for name, entry in features.items()
    }
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}
