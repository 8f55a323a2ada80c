"""Dates and times in cells, as people and programs write them."""

import re
from collections.abc import Sequence
from datetime import date, time, timedelta

import numpy as np
from jaxtyping import Float64

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
FIRST_YEAR, LAST_YEAR = 1900, 2100
MOSTLY = 0.8  # share of the cells
TIMES = (date, time, timedelta)  # a datetime is a date
ADVICE = "convert them to numbers (days since a date, hour, weekday) to use them"

_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[ap]\.?m\.?)?(\s*(z|utc|gmt|[a-z]{3,4}t|[+-]\d{2}:?\d{2}))*"
_MONTH = rf"({MONTHS})[a-z]*\.?"
_DAY = r"\d{1,2}(st|nd|rd|th)?"
_WEEKDAY = r"((mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_YEAR = r"'?(\d{4}|\d{2})"
_NAMED = [
    rf"{_DAY}[\s.-]*{_MONTH}[\s,.-]*{_YEAR}",  # 15 Jan 2024, 15-Jan-24
    rf"{_MONTH}[\s-]*{_DAY}(,\s*|\s+){_YEAR}",  # Jan 15, 2024
    rf"{_MONTH}\s+{_DAY}\s+{_TIME}\s+{_YEAR}",  # Jan 15 10:30:00 2024
    rf"{_MONTH}[\s,-]*\d{{4}}|\d{{4}}[\s-]*{_MONTH}([\s-]*{_DAY})?",  # Jan 2024, 2024-Jan-15
]
_NUMBERED = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{1,2})([-/.])(\d{1,2})\6(\d{4}|\d{2})")
_AFTER = re.compile(rf"[t\s,]*({_TIME})?", re.IGNORECASE)
_WRITTEN = re.compile(rf"{_WEEKDAY}({'|'.join(_NAMED)})([t\s,]+(at\s+)?{_TIME})?|{_TIME}", re.IGNORECASE)


def is_date(text: str) -> bool:
    """Whether a text is a date, a time of day or both: ISO 8601, RFC 822, numbers with -, / or ., English months.

    Example:
        >>> written = ("2024-01-15T10:30:00Z", "15/01/24", "Jan 15, 2024", "15 Jan 2024 10:30:00 +0000", "10:30 PM")
        >>> [is_date(text) for text in written], is_date("15 January sales"), is_date("1.45.99")
        ([True, True, True, True, True], False, False)
    """
    numbered = _NUMBERED.match(text)
    if numbered is None:
        return _WRITTEN.fullmatch(text) is not None
    _, _, month, day, one, _, other, _ = numbered.groups()
    low, high = sorted((int(month or one), int(day or other)))
    return 1 <= low <= 12 and high <= 31 and _AFTER.fullmatch(text, numbered.end()) is not None


def date_among(cells: Sequence[object]) -> str | None:
    """The first date or time if most cells are dates or times, else None.

    Example:
        >>> date_among([date(2024, 1, 15), "2024-01-16"]), date_among(["may", "2024-01-16"])
        ('2024-01-15', None)
    """
    found = [
        str(cell) for cell in cells if isinstance(cell, TIMES) or (isinstance(cell, str) and is_date(cell.strip()))
    ]
    return found[0] if found and len(found) >= MOSTLY * len(cells) else None


def are_days(numbers: Float64[np.ndarray, "cells"]) -> bool:
    """Whether numbers are days written yyyymmdd: several of them, each with a valid month and day.

    Example:
        >>> are_days(np.array([20240131.0, 20240201.0])), are_days(np.array([20240132.0, 20240201.0]))
        (True, False)
    """
    if len(numbers) < 2 or numbers.min() < FIRST_YEAR * 10_000 or numbers.max() >= (LAST_YEAR + 1) * 10_000:
        return False
    whole = numbers.astype(np.int64)
    month, day = whole // 100 % 100, whole % 100
    within = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool((within & (whole == numbers)).all())
