"""What Hugging Face datasets writes into an Arrow schema: which columns are media, and what class numbers mean."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = {"Image": "image", "Audio": "audio", "ClassLabel": "label"}


def kinds_in(schema: "pa.Schema") -> dict[str, str]:
    """Column -> "image", "audio" or "label", where the schema says so."""
    found = {name: KINDS.get(str(entry.get("_type"))) for name, entry in _features(schema).items()}
    return {name: kind for name, kind in found.items() if kind is not None and name in schema.names}


def class_names_in(schema: "pa.Schema") -> dict[str, tuple[str, ...]]:
    """Column -> the class names that its numbers stand for."""
    features = _features(schema).items()
    return {
        name: tuple(map(str, entry["names"]))
        for name, entry in features
        if entry.get("_type") == "ClassLabel" and isinstance(entry.get("names"), list)
    }


def _features(schema: "pa.Schema") -> Mapping[str, Mapping[str, Any]]:
    written = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(written)["info"]["features"] if written else {}
    except (ValueError, KeyError, TypeError):
        features = {}
    return {name: entry for name, entry in features.items() if isinstance(entry, dict)} if features else {}
