"""Tables with a header line, read as text."""

import csv
import gzip
from pathlib import Path


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file (UTF-8, with a header line; `.gz` is unpacked), each as column -> cell."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
