"""Tables with a header line, read as text."""

import csv
from pathlib import Path


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file (UTF-8, with a header line), each as column -> cell."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
