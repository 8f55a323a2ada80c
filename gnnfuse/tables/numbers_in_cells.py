"""Numbers in cells, as numbers or as texts."""

import math
import re
from numbers import Real

from gnnfuse.tables.arrow_cells import Cell

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")  # excludes others that float() accepts: "nan", "1_000"
TRUTH = {"true": 1.0, "false": 0.0}


def number_in(cell: Cell) -> float | None:
    """The finite number that a cell is, or spells with a decimal point; None for everything else.

    "true" and "false" count as 1 and 0. "NA", "nan", "inf" and "1,5" are not numbers.

    Example:
        >>> number_in(" -1.5e3 "), number_in(7), number_in("nan"), number_in("12 kg")
        (-1500.0, 7.0, None, None)
    """
    if isinstance(cell, str):
        text = cell.strip()
        if not NUMBER.fullmatch(text):
            return TRUTH.get(text.lower())
        found = float(text)
    elif isinstance(cell, Real):
        found = float(cell)
    else:
        return _decimal(cell)
    return found if math.isfinite(found) else None


def _decimal(cell: Cell) -> float | None:
    """Arrow's decimals become Python's `Decimal`, which is no `Real`."""
    try:
        return float(cell) if type(cell).__name__ == "Decimal" else None  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
