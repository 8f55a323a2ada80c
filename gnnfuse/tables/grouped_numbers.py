"""Recognises numbers with a decimal comma or thousands separators; never converts them by guess."""

import re
from collections.abc import Sequence

THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?|[+-]?[1-9]\d{0,2}(['\s_]\d{3})+([.,]\d*)?")
DECIMAL = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}(\.\d{3})+,\d+")
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3}){2,}")


def grouped_note(texts: Sequence[str], *, pointed: bool) -> str:
    """What separators in numbers mean, and how to write the numbers instead; empty if there are none.

    Three digits after every comma may be thousands or decimals; then the message is a question. Following the advice
    changes no number.

    Args:
        texts: cells that are not numbers as written.
        pointed: whether other cells of the column are numbers with a decimal point.

    Example:
        >>> grouped_note(["1,5", "2,125"], pointed=False)
        "numbers with a decimal comma, such as '1,5'; write a point to use them as numbers"
        >>> grouped_note(["1,037", "1,037,000"], pointed=False)
        "numbers with thousands separators, such as '1,037,000'; remove the separators to use them as numbers"
        >>> grouped_note(["1,037"], pointed=False)[:75]
        "numbers with three digits behind the comma, such as '1,037': is that 1037 o"
    """
    thousands = [text for text in texts if THOUSANDS.fullmatch(text) or POINTS.fullmatch(text)]
    decimal = [text for text in texts if DECIMAL.fullmatch(text)]
    sure_thousands = [text for text in thousands if not DECIMAL.fullmatch(text)]
    sure_decimal = [text for text in decimal if not THOUSANDS.fullmatch(text)]
    if sure_thousands and sure_decimal:
        return (
            f"numbers with contradictory separators, such as {sure_thousands[0]!r} and {sure_decimal[0]!r}; write "
            "all without thousands separators and with a decimal point to use them as numbers"
        )
    if sure_thousands or (thousands and pointed and not sure_decimal):
        return (
            f"numbers with thousands separators, such as {(sure_thousands or thousands)[0]!r}; remove the "
            "separators to use them as numbers"
        )
    if sure_decimal:
        point = "a point, and no thousands separators," if any("." in text for text in decimal) else "a point"
        return f"numbers with a decimal comma, such as {sure_decimal[0]!r}; write {point} to use them as numbers"
    if thousands:
        whole, fraction = thousands[0].replace(",", ""), thousands[0].replace(",", ".")
        return (
            f"numbers with three digits behind the comma, such as {thousands[0]!r}: is that {whole} or {fraction}? "
            "write the one that is meant to use them as numbers"
        )
    return ""


def is_grouped(text: str) -> bool:
    """Whether a text is a number with a decimal comma or with thousands separators.

    Example:
        >>> [is_grouped(text) for text in ("1,5", "1,037,000", "1 037", "1.5", "a,b")]
        [True, True, True, False, False]
    """
    return any(kind.fullmatch(text) for kind in (THOUSANDS, DECIMAL, POINTS))
